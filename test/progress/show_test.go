package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { os.Exit(deadline.Each(m).Run()) }

// What go test says, and what is shown of it.
func TestShow(t *testing.T) {
	const in = `"Package":"` + module
	said := strings.Join([]string{
		`{"Action":"start",` + in + `/ame"}`,
		`{"Action":"run",` + in + `/ame","Test":"TestGood"}`,
		`{"Action":"output",` + in + `/ame","Test":"TestGood","Output":"=== RUN   TestGood\n"}`,
		`{"Action":"output",` + in + `/ame","Test":"TestGood","Output":"plan: 3 more\n"}`,
		`{"Action":"pass",` + in + `/ame","Test":"TestGood","Elapsed":0.25}`,
		`{"Action":"run",` + in + `/ame","Test":"TestBad"}`,
		`{"Action":"run",` + in + `/ame","Test":"TestBad/case"}`,
		`{"Action":"output",` + in + `/ame","Test":"TestBad/case","Output":"    bad_test.go:7: no\n"}`,
		`{"Action":"fail",` + in + `/ame","Test":"TestBad/case","Elapsed":1}`,
		`{"Action":"output",` + in + `/ame","Test":"TestBad","Output":"--- FAIL: TestBad (1.00s)\n"}`,
		`{"Action":"fail",` + in + `/ame","Test":"TestBad","Elapsed":1}`,
		`{"Action":"fail",` + in + `/ame","Elapsed":1.5}`,
		`what a compiler says`,
		`{"Action":"run",` + in + `","Test":"TestNot"}`,
		`{"Action":"output",` + in + `","Test":"TestNot","Output":"    not_test.go:9: no munged here\n"}`,
		`{"Action":"skip",` + in + `","Test":"TestNot","Elapsed":0}`,
		`{"Action":"pass",` + in + `","Elapsed":0.5}`, ``,
	}, "\n")
	tests := []struct {
		name, want string
		each       bool
	}{
		{"packages", `
t: FAIL ame TestBad/case, 1.0 s
    bad_test.go:7: no
t:  1 of 2 packages: FAIL ame, 1.5 s
what a compiler says
t:  2 of 2 packages: ok   ., 0.5 s
t: skipped 1: no munged here
t: 1 passed, 1 failed, 1 skipped
`, false},
		{"each test", `
t:   1 of 3 tests: ok   ame TestGood, 0.2 s
t: FAIL ame TestBad/case, 1.0 s
    bad_test.go:7: no
t:  1 of 2 packages: FAIL ame, 1.5 s
what a compiler says
t:   3 of 3 tests: skip . TestNot, 0.0 s
    not_test.go:9: no munged here
t:  2 of 2 packages: ok   ., 0.5 s
t: skipped 1: no munged here
t: 1 passed, 1 failed, 1 skipped
`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			cmd := exec.Command("sh", "-c", `cat; exit 3`)
			cmd.Stdin = strings.NewReader(said)
			status, err := run(newShow(&out, "t", test.each, 2), time.Minute, cmd)
			require.NoError(t, err)
			assert.Equal(t, 3, status)
			assert.Equal(t, strings.TrimPrefix(test.want, "\n"), out.String())
		})
	}
}

// A test that a panic or a deadline has cut off has said why, and no word of its
// end comes.
func TestCutOff(t *testing.T) {
	for packages, name := range map[int]string{1: "TestHangs", 2: "pmi TestHangs"} {
		var out strings.Builder
		s := newShow(&out, "t", false, packages)
		e := event{Action: "run", Package: module + "/pmi", Test: "TestHangs"}
		s.event(e)
		e.Action, e.Output = "output", "goroutine 7 [running]:\n"
		s.event(e)
		s.event(event{Action: "fail", Package: module + "/pmi", Elapsed: 60})
		s.end()
		assert.Equal(t, fmt.Sprintf("t:  1 of %d packages: FAIL pmi, 60.0 s\nt: FAIL %s: it did not end\n"+
			"goroutine 7 [running]:\nt: 0 passed, 1 failed, 0 skipped\n", packages, name), out.String())
	}
}

// Where nothing is said for a while, a line says what runs.
func TestRunning(t *testing.T) {
	var out strings.Builder
	s := newShow(&out, "t", false, 2)
	began := time.Now()
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	s.running(at(1))
	const folder = module + "/pmi"
	s.event(event{Time: at(1), Action: "start", Package: folder})
	s.event(event{Time: at(2), Action: "run", Package: folder, Test: "TestA"})
	s.event(event{Time: at(3), Action: "run", Package: folder, Test: "TestB"})
	s.event(event{Time: at(4), Action: "run", Package: folder, Test: "TestB/case"})
	s.running(at(9))
	assert.Equal(t, "t: 2 of 2 packages left; nothing runs yet: go builds\n"+
		"t: 2 of 2 packages left; running: pmi TestA for 7 s; pmi TestB/case for 5 s\n", out.String())
}
