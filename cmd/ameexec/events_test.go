package main

import (
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// quietLauncher is one whose ranks 0 and 1 have pids that no system has.
func quietLauncher(p *plan) (l *launcher, said func() string) {
	var text strings.Builder
	m := launch.NewMerger(nil)
	l = &launcher{
		plan:   p,
		output: &output{own: m.Notices(&text), stdout: m, stderr: m},
		log:    slog.New(slog.DiscardHandler),
		ranks:  map[int]int{1 << 30: 0, 1<<30 + 1: 1},
		blamed: make(chan blame, 2),
	}
	return l, func() string { m.Wait(); return text.String() }
}

// Who has told the others of its panic has still to print it: the others' end
// must not have it terminated at once. After the reprieve it is.
func TestReprieve(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		l, said := quietLauncher(&plan{Host: "here", Continue: goOn})
		l.ended(exit{1<<30 + 1, syscall.WaitStatus(7 << 8)})
		assert.Equal(t, "ameexec: rank 1 (pid 1073741825) on here: exit status 7\n", said())
		assert.False(t, l.ending.stopping)
		l.reprieveOver()
		assert.Equal(t, !goOn, l.ending.stopping)
	}
}

// Whose link is cut by a kill may be seen to end before the one who was killed.
func TestKilledRankGivesTheStatus(t *testing.T) {
	l, said := quietLauncher(&plan{Host: "here"})
	l.ended(exit{1<<30 + 1, syscall.WaitStatus(1 << 8)})
	l.ended(exit{1 << 30, syscall.WaitStatus(9)})
	l.reprieveOver()
	assert.Equal(t, 137, l.verdict.Status())
	assert.Contains(t, said(), "rank 0 (pid 1073741824) on here: killed by signal 9 (SIGKILL)\n")
}

// Who says whom it has lost lets the other one's status count.
func TestLostRankGivesTheStatus(t *testing.T) {
	l, said := quietLauncher(&plan{Host: "here"})
	for range 5 {
		l.lost(1, 0) // does not wait
	}
	l.ended(exit{1<<30 + 1, syscall.WaitStatus(1 << 8)})
	l.ended(exit{1 << 30, syscall.WaitStatus(7 << 8)})
	l.reprieveOver()
	assert.Equal(t, 7, l.verdict.Status())
	l.summary()
	assert.Equal(t, "ameexec: rank 0 (pid 1073741824) on here: exit status 7\nameexec: 1 rank ended after the loss of rank 0\n", said())
}

// A rank that others have lost may be seen to end late, on a busy machine.
func TestLostRankIsWaitedFor(t *testing.T) {
	l, _ := quietLauncher(&plan{Host: "here"})
	l.lost(1, 0)
	l.ended(exit{1<<30 + 1, syscall.WaitStatus(1 << 8)})
	l.reprieveOver()
	assert.False(t, l.ending.stopping)
	l.ended(exit{1 << 30, syscall.WaitStatus(7 << 8)})
	assert.Equal(t, 7, l.verdict.Status())

	l, _ = quietLauncher(&plan{Host: "here"})
	l.lost(1, 0)
	l.ended(exit{1<<30 + 1, syscall.WaitStatus(1 << 8)})
	l.reprieveOver()
	l.reprieveOver()
	assert.True(t, l.ending.stopping, "but not for ever")
}

// Who interrupts a program that finishes something first does not see it
// otherwise.
func TestFirstInterruptIsExplained(t *testing.T) {
	l, said := quietLauncher(&plan{Host: "here"})
	l.forward(syscall.SIGINT)
	assert.Empty(t, said(), "most end at once")
	assert.NotNil(t, l.ending.explain)
	l.explainInterrupt()
	assert.Equal(t, "ameexec: interrupt passed on, and 2 ranks are still at work; a second one is passed on, too, a third one kills\n", said())

	l.forward(syscall.SIGINT)
	assert.Nil(t, l.ending.explain)
	assert.Contains(t, said(), "passed on once more")
}
