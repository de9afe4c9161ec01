package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Real runs of go test: what fails once is run alone.
func TestSecondChance(t *testing.T) {
	for name, c := range map[string]struct {
		fixture string
		status  int
		shows   []string // in this order, the last ones at the end
		not     string
	}{
		"all well": {"", 0, []string{"t: 4 passed, 0 failed, 0 skipped\n"}, "again"},
		"unsteady": {"unlucky", 0, []string{
			"FAIL TestUnsteady/second_(of_2)/a+b", "unlucky",
			"t: 3 passed, 1 failed, 0 skipped\n",
			"t: again, alone, 3 times: TestUnsteady/second_(of_2)/a+b\n",
			"t again: 3 passed, 0 failed, 0 skipped\n",
			"t: UNSTEADY TestUnsteady/second_(of_2)/a+b, ", "unlucky",
			"t: UNSTEADY, to be mended: TestUnsteady/second_(of_2)/a+b\n",
		}, "t: FAILED"},
		"one of two": {"unlucky steady", 1, []string{
			"t: 2 passed, 2 failed, 0 skipped\n",
			"t: again, alone, 3 times: TestSteady\n", "as ever", "t again: 0 passed, 1 failed, 0 skipped\n",
			"t again: 3 passed, 0 failed, 0 skipped\n",
			"t: FAILED TestSteady, ", "as ever", "t: FAILED again TestSteady, ", "as ever",
			"t: UNSTEADY TestUnsteady", "unlucky",
			"t: FAILED: TestSteady\nt: UNSTEADY, to be mended: TestUnsteady/second_(of_2)/a+b\n",
		}, ""},
		"a panic": {"unlucky panic", 1, []string{
			"t: 2 passed, 2 failed, 0 skipped\n", "t: FAILED TestUnsteady", "unlucky", "t: FAILED TestPanic, ", "at the disco",
			"t: FAILED: TestUnsteady/second_(of_2)/a+b, TestPanic, fixture\n",
		}, "again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			in := func(cmd *exec.Cmd) *exec.Cmd {
				cmd.Dir = "testdata/fixture"
				cmd.Env = append(os.Environ(), "FIXTURE="+c.fixture, "FIXTURE_DIR="+dir, "GOFLAGS=", "GOWORK=off")
				return cmd
			}
			var out strings.Builder
			s := newShow(&out, "t", false, 1)
			args := []string{"-count=1", "-run=Test", "."}
			status, err := runTwice(s, time.Minute, in(goTest(args)), func(f *failure) *exec.Cmd { return in(goTest(alone(args, f))) })
			require.NoError(t, err)
			s.report(&out)
			assert.Equal(t, c.status, status)
			rest := out.String()
			for _, text := range c.shows {
				_, after, ok := strings.Cut(rest, text)
				require.True(t, ok, "%q in %s", text, out.String())
				rest = after
			}
			assert.Empty(t, rest, "last words")
			if c.not != "" {
				assert.NotContains(t, out.String(), c.not)
			}
		})
	}
}

func TestAlone(t *testing.T) {
	f := &failure{pkg: module + "/ame", test: "TestA/b [c]"}
	for _, test := range [][2]string{
		{"-race -shuffle=on ./...", "-race -shuffle=on -count=3 -failfast -run=^TestA$/^b \\[c\\]$ " + f.pkg},
		{"-count=1 ./ame ./pmi -update", "-count=1 -count=3 -failfast -run=^TestA$/^b \\[c\\]$ " + f.pkg + " -update"},
	} {
		assert.Equal(t, test[1], strings.Join(alone(strings.Split(test[0], " "), f), " "))
	}
}

// What gets no second chance, and what of it is in the report.
func TestNoSecondChance(t *testing.T) {
	fails := func(name string, said ...string) []event {
		events := []event{{Action: "run", Package: module + "/ame", Test: name}}
		for _, line := range said {
			events = append(events, event{Action: "output", Package: module + "/ame", Test: name, Output: line})
		}
		return append(events, event{Action: "fail", Package: module + "/ame", Test: name})
	}
	ends := func(said string) []event {
		return []event{{Action: "output", Package: module + "/ame", Output: said}, {Action: "fail", Package: module + "/ame"}}
	}
	one := fails("TestA", "no\n")
	for name, c := range map[string]struct {
		events [][]event
		tests  int // that are run again
		last   string
	}{
		"one test":      {[][]event{one, ends("FAIL\n")}, 1, "FAILED: ame TestA"},
		"its parent":    {[][]event{fails("TestB/c", "no\n"), fails("TestB", "words\n", "--- FAIL\n"), ends("FAIL\n")}, 1, "FAILED: ame TestB/c"},
		"two tests":     {[][]event{one, fails("TestB", "no\n"), ends("FAIL\n")}, 2, "FAILED: ame TestA, ame TestB"},
		"three tests":   {[][]event{one, fails("TestB"), fails("TestC"), ends("FAIL\n")}, 0, "FAILED: ame TestA, ame TestB, ame TestC"},
		"a race":        {[][]event{fails("TestA", "    testing.go:1: race detected during execution of test\n"), ends("FAIL\n")}, 0, "FAILED: ame TestA"},
		"another cause": {[][]event{one, ends("panic\n")}, 0, "FAILED: ame TestA, ame"},
		"race outside":  {[][]event{one, ends("WARNING: DATA RACE\nFAIL\n")}, 0, "FAILED: ame TestA, ame"},
		"no test":       {[][]event{ends("goleak: found unexpected goroutines\n")}, 0, "FAILED: ame"},
		"cut off":       {[][]event{one[:2], ends("panic\n")}, 0, "FAILED: ame TestA, ame"},
		"does not build": {[][]event{
			{{Action: "build-output", ImportPath: "p", Output: "syntax\n"}},
			{{Action: "fail", Package: module + "/ame", FailedBuild: "p"}},
		}, 0, "FAILED: ame"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, report strings.Builder
			s := newShow(&out, "t", false, 2)
			said := ""
			for _, events := range c.events {
				for _, e := range events {
					s.event(e)
					said += e.Output
				}
			}
			assert.Len(t, s.secondChance(), c.tests)
			s.report(&report)
			assert.True(t, strings.HasSuffix(report.String(), "t: "+c.last+"\n"), report.String())
			for line := range strings.Lines(strings.TrimSuffix(said, "FAIL\n")) {
				assert.Contains(t, report.String(), line)
			}
		})
	}
}
