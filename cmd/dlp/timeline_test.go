package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// reportOn runs dlp report.
func reportOn(t *testing.T, args ...string) result {
	cmd := dlpMap(t)
	cmd.Args = append([]string{os.Args[0], "dlp", "report"}, args...)
	return finish(t, cmd)
}

// A map under ranks records where its items ran, and which have failed, and dlp
// report draws that; options may stand behind the name.
func TestTimelineOfRanks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.timeline")
	r := finish(t, underRanks(t, binaries(t), []string{"ameexec", "-n", "3"}, "-q", "-j", "2", "--timeline", path, "--range", "1-20", "--shell", "test {} != 7"))
	require.Equal(t, 1, r.status, r.stderr)
	file, err := timeline.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, file.Loops, 1)
	l := file.Loops[0]
	ranks, failed, items := map[int32]bool{}, []int{}, 0
	for _, r := range l.Records {
		if r.State.IsItem() {
			items++
			ranks[r.Rank] = true
		}
		if r.State == timeline.Failed {
			failed = append(failed, r.Index)
		}
	}
	assert.Equal(t, 20, items)
	assert.Len(t, ranks, 3)
	assert.Equal(t, []int{6}, failed)
	assert.Equal(t, "#7: 7: exit status 1", l.Notes[6].Text)

	page, picture, trace := filepath.Join(dir, "a.html"), filepath.Join(dir, "a.svg"), filepath.Join(dir, "a.json")
	r = reportOn(t, path, "--html", page, "--svg", picture, "--trace", trace)
	require.Equal(t, result{0, r.stdout, ""}, r)
	assert.Regexp(t, `^loop 1: map .*\n    .* 20 items, parallel efficiency `, r.stdout)
	assert.Contains(t, read(t, page), "#7: 7: exit status 1")
	assert.Contains(t, read(t, picture), "<svg ")
	assert.True(t, json.Valid([]byte(read(t, trace))))
}

// A name that ends in .html is that of the page, and nothing else is left.
func TestTimelineIsDrawn(t *testing.T) {
	dir := t.TempDir()
	r := runMap(t, "a\nb\n", "-q", "--timeline", filepath.Join(dir, "run.html"), "echo")
	require.Equal(t, 0, r.status, r.stderr)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Contains(t, read(t, filepath.Join(dir, "run.html")), `"#1: a"`)
	r = runMap(t, "a\n", "-q", "--timeline", filepath.Join(dir, "absent", "run.html"), "echo")
	assert.Equal(t, result{1, "", r.stderr}, r)
	assert.Contains(t, r.stderr, "--timeline: open ")
	r = runMap(t, "a\n", "-q", "--timeline", file(t, "something else"), "echo")
	assert.Equal(t, result{1, "", r.stderr}, r)
	assert.Contains(t, r.stderr, "is no timeline: use another name")
}

// A journal of two starts is two loops, and items that overlap lie in slots of
// their own.
func TestJournalIsDrawn(t *testing.T) {
	dir := t.TempDir()
	journal := filepath.Join(dir, "journal")
	for _, list := range []string{"a\nb\n", "a\nb\nc\n"} {
		r := runMap(t, list, "-q", "-j", "2", "--journal", journal, "sh", "-c", "sleep 0.3")
		require.Equal(t, 0, r.status, r.stderr)
	}
	picture := filepath.Join(dir, "a.svg")
	r := reportOn(t, "--svg", picture, journal)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "--svg draws one loop, and there are 2: choose by --loop")
	r = reportOn(t, "--loop", "1", journal, "--svg", picture)
	require.Equal(t, 0, r.status, r.stderr)
	assert.Contains(t, read(t, picture), ">rank 0.1 "+hostname(t)[:min(6, len(hostname(t)))])
	r = reportOn(t, "--loop", "3", journal, "--svg", picture)
	assert.Contains(t, r.stderr, "--loop 3: there are 2 loops")
	assert.Equal(t, 2, reportOn(t, "--loop", "0", journal).status)
}

func TestOptionsFirst(t *testing.T) {
	for args, want := range map[string]string{
		"a --html b":          "--html b a",
		"--json a --svg b":    "--json --svg b a",
		"a --html=b --json":   "--html=b --json a",
		"a --loop 2 - -- --x": "--loop 2 a - -- --x",
		"a --html":            "--html a",
	} {
		assert.Equal(t, want, strings.Join(optionsFirst(strings.Fields(args), reportFlags()), " "), args)
	}
}

// Of the items that are done, the longest have notes.
func TestNotesAreOfTheLongest(t *testing.T) {
	var n notes
	for i := range 1000 {
		n.add(task{Index: i, Columns: []string{"x"}}, &report{Took: time.Duration(i * 7 % 1000)})
	}
	require.Len(t, n.longest, mostLongNotes)
	assert.Equal(t, time.Duration(999), n.longest[0].took)
	assert.Equal(t, time.Duration(900), n.longest[mostLongNotes-1].took)
}
