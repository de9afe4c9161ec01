package main

import (
	"encoding/xml"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { os.Exit(deadline.Each(m).Run()) }

// A row that no program gives figures for would be missing without a word.
func TestSomeProgramGivesEachRow(t *testing.T) {
	given := map[figure]bool{}
	for _, p := range needed(programs(""), rows) {
		for _, measure := range p.measures() {
			given[figure{p.who, key{measure, p.ranks}}] = true
		}
	}
	for _, r := range rows {
		assert.True(t, given[figure{r.ours, r.measure}], "%v: %s", r.measure, r.ours)
		assert.True(t, given[figure{r.against, r.reference}], "%v: %s", r.reference, r.against)
	}
}

func TestCommand(t *testing.T) {
	found := needed(programs("/bin"), chosen(regexp.MustCompile("between two workers")))
	require.Len(t, found, 1)
	assert.Equal(t, ours, found[0].who)
	assert.Equal(t, []string{"/bin/ameexec", "-n", "3", "/bin/ours", "pingpong", "workers"}, found[0].command())
}

func TestChosen(t *testing.T) {
	barriers := chosen(regexp.MustCompile("barrier,"))
	require.Len(t, barriers, 2)
	assert.Len(t, needed(programs(""), barriers), 4)
	assert.Len(t, chosen(regexp.MustCompile("")), len(rows))
	for _, r := range chosen(regexp.MustCompile("")) {
		assert.NotEmpty(t, r.title)
	}
}

var measured = figures{
	{ours, key{"barrier", 4}}:       {8e-6, 2e-6, 4e-6},
	{openMemory, key{"barrier", 4}}: {4e-6, 4e-6, 8e-6},
}

func TestTable(t *testing.T) {
	lines := strings.Split(table(chosen(regexp.MustCompile("barrier, 4")), measured), "\n")
	require.Len(t, lines, 3)
	fields := regexp.MustCompile("  +").Split(lines[1], -1)
	assert.Equal(t, []string{"barrier, 4 ranks", "dlp", "4 us", "Open MPI, memory", "4 us", "1.00", "0.50-2.00", "<= 1.00"}, fields)
}

func TestTSV(t *testing.T) {
	lines := strings.Split(measured.tsv(), "\n")
	assert.Equal(t, "measure\tranks\twho\tround\tseconds", lines[0])
	assert.Equal(t, "barrier\t4\tOpen MPI, memory\t1\t0.000004000", lines[1])
	assert.Len(t, lines, 8)
}

func TestFigureIsXML(t *testing.T) {
	decoder := xml.NewDecoder(strings.NewReader(svg(rows, measured)))
	bars := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "rect" {
			bars++
		}
	}
	assert.Equal(t, 2, bars, "the ground and one row")
}

func TestMedianAndQuartiles(t *testing.T) {
	assert.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
	low, high := quartiles([]float64{5, 1, 4, 2, 3})
	assert.Equal(t, 2.0, low)
	assert.Equal(t, 4.0, high)
	assert.Equal(t, "1.5 ms", duration(0.0015))
	assert.Equal(t, "2 s", duration(2))
	assert.Equal(t, "300 ns", duration(3e-7))
}
