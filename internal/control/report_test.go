package control

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/progress"
	"github.com/dlp-mpi/dlp-go/test/controltest"
)

func TestReport(t *testing.T) {
	shown, lost := make(chan progress.State), make(chan [2]int, 1)
	server := New(Config{
		Job: "test", Size: 2,
		Progress: func(s progress.State) { shown <- s },
		Lost:     func(rank, peer int) { lost <- [2]int{rank, peer} },
	})
	envs := controltest.Launch(t, server, 2)
	joinAll(t, envs)
	for range 2 { // one after another
		reporter, err := Report(t.Context(), envs[0].Lookup, 0)
		require.NoError(t, err)
		assert.True(t, reporter.Bar())
		state := progress.State{Label: "a\nb", Done: 3, Total: 7, Busy: 1, Took: time.Second}
		require.NoError(t, reporter.Progress(state))
		assert.Equal(t, state, <-shown)
		require.NoError(t, reporter.Lost(1))
		assert.Equal(t, [2]int{0, 1}, <-lost)
		require.NoError(t, reporter.Lost(2), "a rank that is none is passed over")
		require.NoError(t, reporter.Close())
		assert.Equal(t, progress.State{}, <-shown, "what was shown is no more")

		reporter, err = Report(t.Context(), envs[0].Lookup, 0)
		require.NoError(t, err)
		state.Last = true
		require.NoError(t, reporter.Progress(state))
		assert.Equal(t, state, <-shown)
		require.NoError(t, reporter.Close())
	}
}

// A launcher without a terminal says so, and takes no offence.
func TestReportToNobody(t *testing.T) {
	_, envs := launch(t, 2)
	reporter, err := Report(t.Context(), envs[1].Lookup, 1)
	require.NoError(t, err)
	defer reporter.Close()
	assert.False(t, reporter.Bar())
	require.NoError(t, reporter.Progress(progress.State{Done: 1}))
	require.NoError(t, reporter.Lost(0))
	_, err = Report(t.Context(), envs[1].Lookup, 0)
	assert.ErrorContains(t, err, "AME_RANK=0, but ameexec started this process as rank 1")
	_, err = Report(t.Context(), envs[1].With("AME_CONTROL_FD", "x").Lookup, 1)
	assert.Error(t, err)
}

func TestClipped(t *testing.T) {
	assert.Equal(t, "why", clipped("why"))
	line, err := json.Marshal(message{Op: "progress", Progress: &progress.State{Label: clipped(strings.Repeat("\x01", 2*maxLine))}})
	require.NoError(t, err)
	assert.Less(t, len(line), maxLine)
}
