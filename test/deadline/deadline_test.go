package deadline

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hangs is the variable that makes TestDeadline of this binary one that hangs,
// with a short deadline.
const hangs = "DEADLINE_TEST_HANGS"

func TestMain(m *testing.M) {
	tests := Each(m)
	if os.Getenv(hangs) != "" {
		grace := 300 * time.Millisecond
		if os.Getenv(hangs) == "child" {
			grace = 30 * time.Second // until the child has ended
		}
		tests = watched{m, &watch{limit: 300 * time.Millisecond, grace: grace, interval: 10 * time.Millisecond, out: os.Stderr}}
	}
	os.Exit(tests.Run())
}

// hang is TestDeadline in a process of its own.
func hang(t *testing.T, how string) {
	switch how {
	case "subtest":
		t.Run("done", func(t *testing.T) {})
		t.Run("inner", func(t *testing.T) { select {} })
	case "cleanup":
		t.Cleanup(func() { select {} })
	case "child":
		Extend(t, time.Hour)
		child := exec.Command(os.Args[0], "-test.run=^TestDeadline$")
		child.Env = append(os.Environ(), hangs+"=quietly")
		var stderr strings.Builder
		child.Stderr = &stderr
		stdout, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		_, err = io.ReadFull(stdout, make([]byte, len("up\n")))
		require.NoError(t, err)
		t.Run("waits", func(t *testing.T) {
			io.Copy(io.Discard, stdout)
			t.Logf("the child: %v: %s", child.Wait(), stderr.String())
		})
	case "quietly": // a process that has no deadline of its own
		Extend(t, time.Hour)
		fmt.Println("up")
		<-make(chan int)
	case "extended":
		Extend(t, time.Hour)
		<-time.After(time.Second)
	case "many": // together longer than the limit, each one shorter
		for _, name := range []string{"a", "b", "c", "d"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				turn.Lock()
				defer turn.Unlock()
				<-time.After(100 * time.Millisecond)
			})
		}
		t.Run("bubble", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { time.Sleep(time.Hour) })
		})
	}
}

var turn sync.Mutex

func TestDeadline(t *testing.T) {
	if how := os.Getenv(hangs); how != "" {
		hang(t, how)
		return
	}
	tests := []struct {
		hang, says string
		status     int
	}{
		{"subtest", "hang.func2 has run for", 2},
		{"subtest", "[select (no cases)]", 2},
		{"cleanup", "hang.func3 has run for", 2},
		{"child", "the child: exit status 2: SIGQUIT", 1},
		{"child", "[chan receive]", 1},
		{"extended", "PASS", 0},
		{"many", "PASS", 0},
	}
	for _, test := range tests {
		t.Run(test.hang, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestDeadline$", "-test.v", "-test.parallel=1")
			cmd.Env = append(os.Environ(), hangs+"="+test.hang)
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, test.status, cmd.ProcessState.ExitCode(), "%s", out)
			assert.Contains(t, string(out), test.says)
		})
	}
}

// What counts is the time in which a test works.
func TestClock(t *testing.T) {
	began := time.Now()
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	works, waits := test{id: 7, name: "a"}, test{id: 7, name: "a", waits: true}
	var extended time.Time
	share := 1.
	clock := clock{last: began, most: time.Hour, share: func() float64 { return share }, until: func(int) time.Time { return extended }}
	assert.Empty(t, clock.look([]test{works}, Default, at(59)))
	assert.Empty(t, clock.look([]test{waits}, Default, at(500)), "waiting counts")
	assert.Equal(t, []test{works}, clock.look([]test{works}, Default, at(502)))

	extended = at(600)
	assert.Empty(t, clock.look([]test{works}, Default, at(600)))
	assert.NotEmpty(t, clock.look([]test{works}, Default, at(601)))

	clock.most = 4 * time.Second
	other := test{id: 8}
	for look := 1; look <= 15; look++ {
		assert.Empty(t, clock.look([]test{other}, Default, at(1000*look)), "standing still counts")
	}
	assert.NotEmpty(t, clock.look([]test{other}, Default, at(16000)))

	share = 0.25
	busy := test{id: 9}
	for look := 1; look <= 60; look++ {
		assert.Empty(t, clock.look([]test{busy}, Default, at(16000+4*look)), "time of others counts")
	}
	assert.NotEmpty(t, clock.look([]test{busy}, Default, at(16244)))

	assert.Empty(t, clock.look(nil, Default, at(16246)))
	assert.Empty(t, clock.spent, "tests that have ended are remembered")
}

// The stacks are those of the runtime of this version of Go.
func TestParse(t *testing.T) {
	find := func() (outer, inner test) {
		found := make(map[string]test)
		for _, test := range parse(stacks()) {
			found[test.name] = test
		}
		const here = "github.com/dlp-mpi/dlp-go/test/deadline.TestParse"
		return found[here], found[here+".func2"]
	}
	outer, inner := find()
	require.Equal(t, goroutine(), outer.id)
	assert.False(t, outer.waits)
	assert.Zero(t, inner)
	t.Run("inner", func(t *testing.T) {
		outer, inner := find()
		assert.True(t, outer.waits, "a test that waits for its subtest works")
		assert.Equal(t, goroutine(), inner.id)
		assert.False(t, inner.waits)
	})
}

func TestParseLoad(t *testing.T) {
	for text, want := range map[string]float64{
		"0.00 0.01 0.05 1/234 5678\n": 1, "2.00 9 9 1/2 3\n": 1, "8.00 1 1 1/2 3\n": 0.25, "412.5 1 1 1/2 3\n": leastShare, "": 1, "?": 1,
	} {
		assert.InDelta(t, want, parseLoad(text, 2), 1e-9, text)
	}
}
