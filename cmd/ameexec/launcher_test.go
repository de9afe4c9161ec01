package main

import (
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Who has told the others of its panic has still to print it: the others' end
// must not have it terminated at once. after the reprieve loop does.
func TestReprieve(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		var said strings.Builder
		l := &launcher{
			plan:   &plan{Host: "here", Continue: goOn},
			output: &output{own: newMerger(nil).stream(&said, "")},
			log:    slog.New(slog.DiscardHandler),
			ranks:  map[int]int{1 << 30: 0, 1<<30 + 1: 1}, // pids that no system has
		}
		l.ended(exit{1<<30 + 1, syscall.WaitStatus(7 << 8)})
		assert.Equal(t, "ameexec: rank 1 (pid 1073741825) on here: exit status 7\n", said.String())
		assert.False(t, l.stopping)
		assert.Equal(t, goOn, l.reprieve == nil)
	}
}
