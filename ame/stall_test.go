package ame

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// standings are how some ranks stand that wait and can do nothing else.
func standings(n int) map[int]standing {
	round := map[int]standing{}
	for rank := range n {
		round[rank] = standing{waits: true, count: 1, sent: 2, got: 2, text: "barrier (a.go:1)"}
	}
	return round
}

// change changes how one rank stands.
func change(round map[int]standing, rank int, by func(*standing)) map[int]standing {
	s := round[rank]
	by(&s)
	round[rank] = s
	return round
}

func TestStall(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*standing) // of rank 1, in both rounds
		then   func(*standing) // in the second one
		want   []outlook       // at the start, after 1, 10 and 19 s, and after 20 s
	}{
		"all wait":         {want: []outlook{again, over}},
		"a message left":   {change: func(s *standing) { s.sent++ }, want: []outlook{again, goesOn, tell, goesOn, tell}},
		"one computes":     {change: func(s *standing) { s.freedom = free }, want: []outlook{goesOn, goesOn, goesOn, goesOn, goesOn}},
		"one may wake":     {change: func(s *standing) { s.freedom = unsure }, want: []outlook{goesOn, goesOn, tell, goesOn, tell}},
		"one waits not":    {change: func(s *standing) { s.waits = false }, want: []outlook{goesOn, goesOn, goesOn}},
		"something came":   {then: func(s *standing) { s.got++; s.sent++ }, want: []outlook{again, again, over}},
		"another wait now": {then: func(s *standing) { s.count++ }, want: []outlook{again, again, over}},
	} {
		t.Run(name, func(t *testing.T) {
			var s stall
			for i, want := range c.want {
				round := standings(3)
				if c.change != nil {
					change(round, 1, c.change)
				}
				if c.then != nil && i > 0 {
					change(round, 1, c.then)
				}
				at := []time.Duration{0, 1, 10, 19, 20}[i] * time.Second
				assert.Equal(t, want, s.judge(round, start.Add(at)), "after %v", at)
			}
		})
	}
}

func TestStallText(t *testing.T) {
	s := stall{last: change(standings(4), 1, func(s *standing) { s.text = "recv from rank 2 (b.go:2)" })}
	assert.Equal(t, "ranks 0,2-3 are in barrier (a.go:1), rank 1 is in recv from rank 2 (b.go:2)", s.text(rankList))
}

func TestStandingWire(t *testing.T) {
	s := standing{waits: true, freedom: unsure, count: 1, sent: 2, got: 3, text: "x"}
	wire := "\x01\x01" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x03" + "x"
	assert.Equal(t, wire, string(s.appendTo(nil)))
	parsed, err := parseStanding([]byte(wire))
	assert.NoError(t, err)
	assert.Equal(t, s, parsed)
	for _, bad := range []string{"", wire[:25], "\x02" + wire[1:], "\x01\x03" + wire[2:]} {
		_, err := parseStanding([]byte(bad))
		assert.Error(t, err)
	}
}

// What a process can do shows in its stacks; these are of go1.26 on Linux.
func TestFreedom(t *testing.T) {
	stacks := readStacks(t)
	for name, want := range map[string]freedom{
		"in a call": stuck, "woken in a call": free, "pump": stuck, "signals": stuck, "wait group": stuck,
		"select": unsure, "chan receive": unsure, "sleep": free, "computes": free, "reads": free, "own module": free,
	} {
		assert.Equal(t, want, freedomOfOne(stacks[name]), name)
	}
	assert.Equal(t, unsure, freedomOf(stacks["computes"]+"\n\n"+stacks["in a call"]+"\n\n"+stacks["select"]), "the first one is who asks")
	later := make(chan struct{})
	defer close(later)
	go func() { <-later }()
	assert.GreaterOrEqual(t, freedomHere(), unsure, "a goroutine of a test is a user's")
}

// readStacks reads goroutines by name from testdata.
func readStacks(t *testing.T) map[string]string {
	b, err := os.ReadFile("testdata/stacks.txt")
	require.NoError(t, err)
	stacks := map[string]string{}
	for _, part := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		name, stack, _ := strings.Cut(strings.TrimPrefix(part, "# "), "\n")
		stacks[name] = stack
	}
	return stacks
}
