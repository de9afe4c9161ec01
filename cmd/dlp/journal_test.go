package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/journal"
)

// noted is a command that notes which items it runs on, prints, and fails on
// one that begins with x.
func noted(notes string) []string {
	return []string{"sh", "-c", `echo "$1" >>"$0"; echo "out $1"; case $1 in x*) exit 3;; esac`, notes, "{}"}
}

// taken are the items in notes, which are forgotten.
func taken(t *testing.T, notes string) []string {
	text, err := os.ReadFile(notes)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	require.NoError(t, os.Remove(notes))
	items := strings.Fields(string(text))
	slices.Sort(items)
	return items
}

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	notes, records, failed := filepath.Join(dir, "notes"), filepath.Join(dir, "journal"), filepath.Join(dir, "failed")
	again := func(items string, more ...string) result {
		args := append([]string{"-k", "--journal", records, "--failed", failed}, more...)
		return runMap(t, items, append(args, noted(notes)...)...)
	}
	r := again("a\nx\nb\n")
	assert.Equal(t, 1, r.status, r.stderr)
	assert.Equal(t, "out a\nout x\nout b\n", r.stdout)
	assert.Equal(t, []string{"a", "b", "x"}, taken(t, notes))

	// Nothing is left to do, and what has failed is said again.
	r = again("a\nx\nb\n")
	assert.Equal(t, 1, r.status, r.stderr)
	assert.Empty(t, r.stdout)
	assert.Empty(t, taken(t, notes))
	assert.Contains(t, r.stderr, "item 2 (x) failed on rank 0 ("+hostname(t)+"): exit status 3")
	assert.Contains(t, r.stderr, "2 done, 1 failed, all of them by an earlier start")
	assert.Equal(t, "x\n", read(t, failed))

	// Another order, new items, one of them like one that is done.
	r = again("c\nb\nx\na\na\n")
	assert.Equal(t, "out c\nout a\n", r.stdout, r.stderr)
	assert.Equal(t, []string{"a", "c"}, taken(t, notes))
	assert.Contains(t, r.stderr, "4 done, 1 failed (3 of them by an earlier start) in ")

	r = again("a\nx\nb\n", "--retry-failed")
	assert.Equal(t, 1, r.status)
	assert.Equal(t, []string{"x"}, taken(t, notes))

	// Another command is another matter.
	r = runMap(t, "a\n", "-q", "--journal", records, "echo", "other")
	assert.Equal(t, result{0, "other a\n", ""}, r)
}

// When dlp is killed in the middle, the next start does the rest, and all output
// is in the end kept.
func TestJournalAfterAKill(t *testing.T) {
	bin := binaries(t)
	for _, launcher := range [][]string{nil, {"ameexec", "-n", "3"}} {
		dir := t.TempDir()
		args := []string{"-q", "-j", "2", "--journal", filepath.Join(dir, "journal"), "--results", filepath.Join(dir, "results"), "--range", "1-60",
			"sh", "-c", `echo $1 >>"$0"; echo "out $1"; sleep 0.05`, filepath.Join(dir, "notes"), "{}"}
		start := func() *exec.Cmd {
			if launcher == nil {
				return dlpMap(t, args...)
			}
			return underRanks(t, bin, launcher, args...)
		}
		cmd := start()
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { entries, _ := os.ReadDir(filepath.Join(dir, "results")); return len(entries) > 10 }, patience, tick)
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		readAll(t, stdout) // until the launcher is gone, and with it the ranks
		cmd.Wait()

		r := finish(t, start())
		require.Equal(t, 0, r.status, r.stderr)
		entries, err := os.ReadDir(filepath.Join(dir, "results"))
		require.NoError(t, err)
		assert.Len(t, entries, 60)
		for _, entry := range entries {
			name, _, _ := strings.Cut(entry.Name(), ".")
			assert.Equal(t, "out "+name+"\n", read(t, filepath.Join(dir, "results", entry.Name())))
		}
		runs := len(strings.Fields(read(t, filepath.Join(dir, "notes"))))
		assert.GreaterOrEqual(t, runs, 60)
		assert.Less(t, runs, 60+10, "those that ran when it was killed, and no others, ran twice")
	}
}

func TestJournalOfWorkers(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	r := runMap(t, "a\nb\n", "-q", "-k", "--journal", journal, "--worker", "sed -u s/^/x/")
	assert.Equal(t, result{0, "xa\nxb\n", ""}, r)
	r = runMap(t, "b\nc\n", "-q", "-k", "--journal", journal, "--worker", "sed -u s/^/x/")
	assert.Equal(t, result{0, "xc\n", ""}, r)
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	journal := filepath.Join(dir, "journal")
	r := runMap(t, "a\nx\nb\n", append([]string{"--journal", journal}, noted(filepath.Join(dir, "notes"))...)...)
	require.Equal(t, 1, r.status, r.stderr)
	r = reportOn(t, journal)
	require.Equal(t, 0, r.status, r.stderr)
	assert.Regexp(t, `^2 done, 1 failed, in 1 start; \S+ of work in \S+\n`, r.stdout)
	assert.Contains(t, r.stdout, "another start skips 2 items, and with --retry-failed tries 1 item again\n")
	assert.Contains(t, r.stdout, "failed: item 2 (x) on rank 0 ("+hostname(t)+"): exit status 3\n")
	assert.Equal(t, 3, strings.Count(r.stdout, "\nslow: item "))
	assert.Contains(t, r.stdout, "rank 0 ("+hostname(t)+"): 3 items, ")

	r = reportOn(t, "--json", journal)
	var s journalState
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &s))
	assert.Equal(t, []int{1, 2, 1}, []int{s.Starts, s.Done, s.Failed})
	require.Len(t, s.Failures, 1)
	assert.Equal(t, "x", s.Failures[0].Item)
	assert.Len(t, s.Slowest, 3)

	assert.Equal(t, 2, reportOn(t).status)
	assert.Equal(t, 1, reportOn(t, filepath.Join(dir, "absent")).status)
	r = reportOn(t, file(t, "no journal at all"))
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "no journal")
}

// Clocks may differ between nodes, and go back.
func TestReportOfOddClocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	begin := time.Now()
	j, err := journal.Open(path, journal.Description{}, journal.Start{Time: begin, Hosts: []string{"a", "b", "c"}}, true)
	require.NoError(t, err)
	for i, clock := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} { // of the node that did the item
		r := report{Index: i, Host: "x", Started: begin.Add(clock).UnixNano(), Took: time.Second}
		ended := begin.Add(time.Duration(3-i) * time.Second) // that of rank 0 goes back
		require.NoError(t, j.Put(&journal.Record{ID: journal.ID{Digest: [16]byte{byte(i)}}, Index: i, Rank: i, Attempt: 1, Ended: ended, Took: time.Second, Body: r.encode()}))
	}
	require.NoError(t, j.Commit())
	require.NoError(t, j.Close())
	r := reportOn(t, path)
	assert.Contains(t, r.stdout, "3 done, 0 failed, in 1 start; 3s of work in 3s\n")
	trace := filepath.Join(t.TempDir(), "trace")
	r = reportOn(t, path, "--trace", trace, "--html", trace+".html", "--svg", trace+".svg")
	require.Equal(t, 0, r.status, r.stderr)
	var drawn struct {
		TraceEvents []struct {
			Ph      string
			Ts, Dur float64 // in us
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, trace)), &drawn))
	items := 0
	for _, e := range drawn.TraceEvents {
		if e.Ph == "X" {
			items++
			assert.Equal(t, 1e6, e.Dur)
			assert.True(t, e.Ts >= 0 && e.Ts <= 3e6, "at %v us", e.Ts)
		}
	}
	assert.Equal(t, 3, items)
}

func TestJournalBadInput(t *testing.T) {
	r := runMap(t, "a\n", "--journal", filepath.Join(t.TempDir(), "absent", "journal"), "echo")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "no such file or directory")
	assert.Empty(t, r.stdout)
	r = runMap(t, "a\n", "--retry-failed", "echo")
	assert.Equal(t, 2, r.status)
	assert.Contains(t, r.stderr, "--retry-failed is for --journal")
}
