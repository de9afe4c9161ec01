package slurm_test

import (
	"encoding/csv"
	"errors"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// expand returns the names of a hostlist of up to a million.
func expand(text string) ([]string, error) {
	h, err := slurm.ParseHostlist(text)
	if err != nil {
		return nil, err
	}
	return h.Expand(1_000_000)
}

func TestExpand(t *testing.T) {
	// The first part are the vectors of Flux RFC 29 that Slurm's grammar shares.
	for _, test := range []struct{ list, want string }{
		{"", ""},
		{"host0", "host0"},
		{"host[0-3]", "host0 host1 host2 host3"},
		{"host[0-1,3-4]", "host0 host1 host3 host4"},
		{"host[0-4,3-5]", "host0 host1 host2 host3 host4 host3 host4 host5"},
		{"host[00-02]", "host00 host01 host02"},
		{"host[9-11]", "host9 host10 host11"},
		{"host[09-11]", "host09 host10 host11"},
		{"foo[0-1],bar[0-1]", "foo0 foo1 bar0 bar1"},
		{"foo,bar,foo", "foo bar foo"},

		{"n2cn[0501,0509]", "n2cn0501 n2cn0509"},
		{"node[01-03]-ib", "node01-ib node02-ib node03-ib"},
		{"tux[1-2]-[1-2]", "tux1-1 tux1-2 tux2-1 tux2-2"},
		{"[1-2][1-2]", "11 12 21 22"},
		{"r[0-1]c[0-1]n[0-1]", "r0c0n0 r0c0n1 r1c0n0 r1c0n1 r0c1n0 r0c1n1 r1c1n0 r1c1n1"},
		{"r[0-1]c[0-1]n[0-1]-ib", "r0c0n0-ib r0c0n1-ib r1c0n0-ib r1c0n1-ib r0c1n0-ib r0c1n1-ib r1c1n0-ib r1c1n1-ib"},
		{" a,\tb\n,, c ", "a b c"},
		{"c[1-2] d", "c1 c2 d"},
		{"a\nb,\nc[1-2]\nd", "a b c1 c2 d"}, // as scontrol of 24.11 does, see Hostlist
		// Slurm prints and reads zeros of any number.
		{"n[000000000000000000001-000000000000000000003]", "n000000000000000000001 n000000000000000000002 n000000000000000000003"},
		{"n[000000000000000000000000000009-10]", "n000000000000000000000000000009 n000000000000000000000000000010"},
		{"c[18446744073709551614-18446744073709551615]", "c18446744073709551614 c18446744073709551615"},
	} {
		t.Run(test.list, func(t *testing.T) {
			got, err := expand(test.list)
			require.NoError(t, err)
			assert.Equal(t, test.want, strings.Join(got, " "))
		})
	}
}

// Lists that scontrol of some version turns into names that nobody meant, and
// that are errors here.
var junk = []string{
	"c]", "c[1-3", "c1-3]", "c[1-]", "c[1 - 3]", "c[1-2, 4]", "c[+1-2]", "c[ 1]", "c[99999999999999999999]",
	"c[[1-2]]", "c[1-[2-3]]",
}

// Lists that scontrol does not expand before 23.02.5, for the text after the
// last bracket, and that are fine here.
var suffixed = []string{"node[01-03]-ib", "[1-3]n", "c[1-3]d,e", "c[1-3]:2", "n[0-3]i"}

// At this one it crashes.
const crash = "c[18446744073709551614-18446744073709551615]"

// TestExpandLikeScontrol compares with what scontrol show hostnames printed.
func TestExpandLikeScontrol(t *testing.T) {
	for _, version := range []string{"22.05", "24.11"} {
		for _, row := range readTable(t, "testdata/hostlist-"+version+".tsv") {
			list, count, names, stderr := row[0], row[2], row[3], row[4]
			t.Run(version+" "+list, func(t *testing.T) {
				got, err := expand(list)
				if list == crash || version == "22.05" && slices.Contains(suffixed, list) {
					require.NoError(t, err)
					return // 24.11 says to what
				}
				if stderr != "" || slices.Contains(junk, list) {
					var where *slurm.HostlistError
					require.ErrorAs(t, err, &where)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, count, strconv.Itoa(len(got)))
				all := strings.Join(got, ",")
				if head, tail, cut := strings.Cut(names, ",...,"); cut {
					assert.True(t, strings.HasPrefix(all, head+",") && strings.HasSuffix(all, ","+tail), names)
					return
				}
				assert.Equal(t, names, all)
			})
		}
	}
}

// readTable returns the rows of a table below its heading.
func readTable(t *testing.T, path string) [][]string {
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	require.NoError(t, err)
	return rows[1:]
}

func TestHostlistErrors(t *testing.T) {
	for _, test := range []struct {
		list   string
		column int
		reason string
	}{
		{"c[3-1]", 3, "range 3-1 runs backwards"},
		{"c[1-2],d[5,3-1]", 12, "range 3-1 runs backwards"},
		{"c[]", 3, "']' where a number belongs"},
		{"c[1,]", 5, "']' where a number belongs"},
		{"c[1--3]", 5, "'-' where a number belongs"},
		{"c[1-2-3]", 6, "'-' where a digit, comma, minus or ] belongs"},
		{"c[1;3]", 4, "';' where a digit, comma, minus or ] belongs"},
		{"c[1-3", 2, "[ without ] after it"},
		{"c[", 2, "[ without ] after it"},
		{"c[[1-2]]", 3, "[ inside brackets"},
		{"c]", 2, "] without [ before it"},
		{"c[1]]", 5, "] without [ before it"},
		{"c[0-65536]", 3, "range 0-65536 has more than 65536 names"},
		{"c[0-18446744073709551615]", 3, "range 0-18446744073709551615 has more than 65536 names"},
		{"c[99999999999999999999]", 3, "number of 20 digits is too large"},
		{"c[100000000000000000001]", 3, "number of 21 digits is too large"},
		{"c[18446744073709551616]", 3, "number of 20 digits is too large"},
		{"c[" + strings.Repeat("0", 300) + "]", 3, "number of 300 digits, in a name at most 255 are allowed"},
		{"a,b\x01", 4, "control character 0x01"},
		{"a," + strings.Repeat("b", 254) + "[8-10]", 3, "name of 256 bytes, at most 255 are allowed"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			_, err := slurm.ParseHostlist(test.list)
			var where *slurm.HostlistError
			require.ErrorAs(t, err, &where)
			assert.Equal(t, test.column, where.Column)
			assert.Equal(t, test.reason, where.Reason)
		})
	}
}

func TestHostlistErrorShowsThePlace(t *testing.T) {
	_, err := expand(strings.Repeat("a,", 1000) + "c[3-1]," + strings.Repeat("b,", 1000))
	require.ErrorContains(t, err, "c[3-1]")
	assert.Less(t, len(err.Error()), 200)
	assert.EqualError(t, &slurm.HostlistError{Text: "c[", Column: 2, Reason: "odd"}, `slurm: hostlist "c[": column 2: odd`)
}

func TestExpandIsCapped(t *testing.T) {
	huge := "a[0-65535]b[0-65535]c[0-65535]d[0-65535]"
	_, err := expand(huge)
	require.ErrorContains(t, err, "longer than the limit of 1000000")

	h, err := slurm.ParseHostlist(huge)
	require.NoError(t, err)
	assert.Equal(t, math.MaxInt, h.Len())
	assert.Equal(t, "a0b0c0d0", h.First())

	h, err = slurm.ParseHostlist("n[1-10]")
	require.NoError(t, err)
	_, err = h.Expand(9)
	require.ErrorContains(t, err, "hostlist of 10 names is longer than the limit of 9")
}

func TestFirstOfAHugeListCostsNothing(t *testing.T) {
	h, err := slurm.ParseHostlist("a[0-65535]b[0-65535]")
	require.NoError(t, err)
	assert.Less(t, testing.AllocsPerRun(10, func() { h.First() }), 20.0)
	assert.Empty(t, slurm.Hostlist{}.First())
}

func TestCompress(t *testing.T) {
	for _, test := range []struct{ names, want string }{
		{"", ""},
		{"a", "a"},
		{"c1 c2 c3", "c[1-3]"},
		{"c1", "c1"},
		{"n2cn0501 n2cn0509", "n2cn[0501,0509]"},
		{"c3 c1 c2", "c[3,1-2]"},
		{"c1 c1", "c[1,1]"},
		{"c9 c10 c11", "c[9-11]"},
		{"c09 c10 c11", "c[09-11]"},
		{"c9 c010", "c[9,010]"},
		{"c09 c10 c100", "c[09-10,100]"},
		{"c99 c100", "c[99-100]"},
		{"c099 c100", "c[099-100]"},
		{"1 2 3", "[1-3]"},
		{"r0n1 r0n2 r1n1 r1n2", "r0n[1-2],r1n[1-2]"},
		{"n1-ib n2-ib", "n1-ib,n2-ib"},
		{"login c1 c2 login", "login,c[1-2],login"},
		{"(null)", "(null)"},
		{"x99999999999999999999999", "x99999999999999999999999"},
		{"n000000000000000000001 n000000000000000000002", "n[000000000000000000001-000000000000000000002]"},
		{"n000000000000000000000000000009 n000000000000000000000000000010", "n[000000000000000000000000000009-000000000000000000000000000010]"},
		{"n100000000000000000001 n100000000000000000002", "n100[000000000000000001-000000000000000002]"},
		{"n0100000000000000000001 n0100000000000000000002", "n0100[000000000000000001-000000000000000002]"},
	} {
		t.Run(test.names, func(t *testing.T) {
			names := strings.Fields(test.names)
			got, err := slurm.Compress(names)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			back, err := expand(got)
			require.NoError(t, err)
			assert.True(t, slices.Equal(names, back), back)
		})
	}
}

func TestCompressLongRuns(t *testing.T) {
	names, err := expand("n[0-65535,65536-131071]")
	require.NoError(t, err)
	got, err := slurm.Compress(names)
	require.NoError(t, err)
	assert.Equal(t, "n[0-65535,65536-131071]", got)
}

func TestCompressRefusesWhatNoListCanHold(t *testing.T) {
	for _, name := range []string{"", "a,b", "a b", "a[1]", "a\x00", strings.Repeat("a", 256)} {
		_, err := slurm.Compress([]string{"ok", name})
		require.ErrorContains(t, err, "name 2 of 2")
	}
}

func FuzzHostlist(f *testing.F) {
	for _, seed := range []string{"c[1-3]", "r[0-1]c[0-1]n[0-1]-ib", "n2cn[0501,0509],a b", "c[09-101]", "c[3-1]", "c[[", "(null)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := slurm.ParseHostlist(text)
		if err != nil {
			var where *slurm.HostlistError
			if !errors.As(err, &where) || where.Column < 1 || where.Column > len(text) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if h.Len() > 5000 {
			h.First()
			return
		}
		names, err := h.Expand(5000)
		if err != nil || len(names) != h.Len() {
			t.Fatalf("%q: %d names, Len %d: %v", text, len(names), h.Len(), err)
		}
		short, err := slurm.Compress(names)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		back, err := expand(short)
		if err != nil || !slices.Equal(names, back) {
			t.Fatalf("%q -> %q -> %q: %v", text, short, back, err)
		}
	})
}
