package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/dlp"
)

// A rank that dies between its join and its connection ends the wait of the
// others, long before AME_TIMEOUT; also if it dies with status 0, and if the
// job is to go on without the ranks that fail.
func TestRankDiesDuringTheStart(t *testing.T) {
	for _, dead := range []string{"0", "1", "2"} {
		cmd := command(t, with(ranks("abandon", dead), "--continue", "-n", "3")...)
		cmd.Env = append(cmd.Env, "AME_TIMEOUT=1h")
		r := finishRun(t, cmd)
		assert.Equal(t, 1, r.status)
		assert.Len(t, lines(r.stdout), 2)
		assert.Contains(t, r.stdout, "rank "+dead+" has ended (exit status 0) before all ranks were connected")
	}
}

// abandon connects to the others by what bootstrap has found, or ends before.
func abandon(dead string) {
	if os.Getenv("AME_RANK") == dead {
		bootstrap.Find(context.Background(), os.LookupEnv)
		os.Exit(0)
	}
	if _, err := dlp.Init(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// However the ends of ranks are seen, the status is that of the one that the
// others have lost.
func TestStatusOfTheRankThatWasLost(t *testing.T) {
	for range 4 {
		r := run(t, with(ranks("lose", "2", "5"), "-n", "4")...)
		assert.Equal(t, 5, r.status, r.stderr)
		assert.Regexp(t, `(?m)^ameexec: rank 2 \(pid \d+\) on \S+: exit status 5$`, r.stderr)
	}
}
