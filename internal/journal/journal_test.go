package journal

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func description() Description {
	return Description{Label: "label", Item: "int", Result: "string", Version: "1", Identity: "items"}
}

func start() Start {
	return Start{Time: time.Unix(1000, 1), Job: "job", Hosts: []string{"node0", "node1"}}
}

func idOf(n int) (id ID) {
	copy(id.Digest[:], fmt.Sprintf("%016d", n))
	id.Occurrence = uint32(n % 3)
	return id
}

func recordOf(n int) Record {
	return Record{
		ID: idOf(n), Index: n, Rank: 1, Attempt: 2, Ended: time.Unix(2000, int64(n)), Took: time.Second,
		Format: 4, Body: []byte(fmt.Sprint("value of ", n)),
	}
}

// write makes a journal with so many records.
func write(t testing.TB, path string, first, n int) {
	t.Helper()
	j, err := Open(path, description(), start(), false)
	require.NoError(t, err)
	for i := range n {
		require.NoError(t, appendTo(j, recordOf(first+i)))
	}
	require.NoError(t, j.Close())
}

// appendTo writes records.
func appendTo(j *Journal, records ...Record) error {
	for i := range records {
		if err := j.Put(&records[i]); err != nil {
			return err
		}
	}
	return j.Commit()
}

// entries are what a file holds, up to an error.
func entries(t testing.TB, path string) (starts []Start, records []Record, err error) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	r, err := NewReader(file, info.Size())
	if err != nil {
		return nil, nil, err
	}
	assert.Equal(t, description(), r.Description)
	for {
		e, err := r.Next()
		if err == io.EOF {
			return starts, records, nil
		}
		if err != nil {
			return starts, records, err
		}
		if e.Start != nil {
			starts = append(starts, *e.Start)
		} else {
			e.Record.Body = append([]byte(nil), e.Record.Body...)
			records = append(records, *e.Record)
		}
	}
}

func TestJournalKeepsWhatIsFinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	write(t, path, 0, 3)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	j, err := Open(path, description(), start(), true)
	require.NoError(t, err)
	for i := range 3 {
		r, ok, err := j.Lookup(idOf(i))
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, recordOf(i), r)
	}
	failed := recordOf(3)
	failed.Failed = true
	large := recordOf(4)
	large.Body = make([]byte, 5<<20)
	again := recordOf(0)
	again.Body = []byte("newer")
	require.NoError(t, appendTo(j, failed, large, again))
	require.NoError(t, j.Close())
	require.NoError(t, j.Close())
	assert.ErrorIs(t, j.Commit(), os.ErrClosed)

	starts, records, err := entries(t, path)
	require.NoError(t, err)
	assert.Equal(t, []Start{start(), start()}, starts)
	assert.Equal(t, []Record{recordOf(0), recordOf(1), recordOf(2), failed, large, again}, records)

	j, err = Open(path, description(), start(), false)
	require.NoError(t, err)
	defer j.Close()
	_, ok, err := j.Lookup(idOf(3))
	assert.NoError(t, err)
	assert.False(t, ok, "it has failed")
	first, _ := j.Offset(idOf(1))
	last, ok := j.Offset(idOf(0))
	assert.True(t, ok && last > first, "the newer one counts")
	for _, want := range []Record{again, large, recordOf(2)} {
		r, ok, err := j.Lookup(want.ID)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, want, r)
	}
	_, ok, err = j.Lookup(idOf(99))
	assert.False(t, ok)
	assert.NoError(t, err)
}

// Wherever a crash has cut the file, all whole records are there, and what is
// appended afterwards too.
func TestTornTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	write(t, path, 0, 2)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	second := strings.LastIndex(string(whole), marker)
	first := strings.LastIndex(string(whole[:second]), marker)
	begin := strings.LastIndex(string(whole[:first]), marker) // the Start
	for size := range whole {
		kept := 0
		switch {
		case size >= second:
			kept = 1
		case size < first:
			kept = 0
		}
		for _, tail := range []string{"", "garbage", strings.Repeat("\x00", 5000)} {
			if size < headSize && tail != "" {
				continue // that is no journal
			}
			require.NoError(t, os.WriteFile(path, append(whole[:size:size], tail...), 0o600))
			write(t, path, 5, 1)
			starts, records, err := entries(t, path)
			require.NoError(t, err, "cut at %d, then %q", size, tail)
			require.Len(t, records, kept+1, "cut at %d, then %q", size, tail)
			assert.Equal(t, recordOf(5), records[kept])
			if size < begin {
				assert.Len(t, starts, 1)
			}
		}
	}
}

// A record that is bad, with good ones behind it, is not passed over.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	write(t, path, 0, 3)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	last := strings.LastIndex(string(whole), marker)
	for at := headSize; at < last; at++ {
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		_, err := Open(path, description(), start(), false)
		require.Error(t, err, "byte %d", at)
		damage := (*DamageError)(nil)
		require.ErrorAs(t, err, &damage, "byte %d", at)
		assert.LessOrEqual(t, damage.Offset, int64(at))
		assert.Greater(t, damage.Next, int64(at))
		assert.Contains(t, err.Error(), path)
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, damaged, left)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "run.journal")
	write(t, path, 0, 1)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	other := description()
	other.Result = "[]string"
	make := map[string]struct {
		make func(path string) error
		d    Description
		err  string
	}{
		"another type":   {func(p string) error { return os.WriteFile(p, whole, 0o600) }, other, `its type of the results is "string", this loop's is "[]string"`},
		"no journal":     {func(p string) error { return os.WriteFile(p, []byte("Dear diary"), 0o600) }, description(), "it is no journal"},
		"symbolic link":  {func(p string) error { return os.Symlink(path, p) }, description(), "symbolic link"},
		"others write":   {func(p string) error { return os.WriteFile(p, whole, 0o600) }, description(), "lets others write"},
		"pipe":           {func(p string) error { return syscall.Mkfifo(p, 0o600) }, description(), "no regular file"},
		"missing folder": {func(string) error { return nil }, description(), "no such file"},
		"locked":         {func(p string) error { return os.Link(path, p) }, description(), "has it open"},
	}
	held, err := Open(path, description(), start(), false)
	require.NoError(t, err)
	defer held.Close()
	for name, test := range make {
		t.Run(name, func(t *testing.T) {
			p := filepath.Join(folder, name)
			require.NoError(t, test.make(p))
			var before []byte
			if name != "pipe" {
				before, _ = os.ReadFile(p)
			}
			switch name {
			case "others write":
				require.NoError(t, os.Chmod(p, 0o620))
			case "missing folder":
				p = filepath.Join(p, "run.journal")
			}
			_, err := Open(p, test.d, start(), false)
			require.ErrorContains(t, err, test.err)
			assert.Contains(t, err.Error(), p)
			if name != "pipe" {
				after, _ := os.ReadFile(p)
				assert.Equal(t, before, after)
			}
		})
	}
}
