//go:build integration

package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a start may cost, on two cores with nothing else to do. The tests print
// how it compares and fail only far beyond, as CI machines are shared.
const (
	targetAdded = 500 * time.Millisecond // dlp-hello over hostname, 12 ranks on 3 nodes
	targetLarge = 10 * time.Second       // 200 ranks on 3 nodes
	excess      = 6
)

// TestStartTime compares the time of a step that runs dlp-hello with one that
// runs hostname, and measures a step of 200 ranks. The clusters take turns.
func TestStartTime(t *testing.T) {
	plan(5)
	turn := make(chan struct{}, 1)
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		turn <- struct{}{}
		defer func() { <-turn }()
		for _, mpi := range []string{"none", "pmi2", "pmix"} {
			t.Run("12 ranks, --mpi="+mpi, func(t *testing.T) {
				step := "srun -N3 -n12 --mpi=" + mpi + " "
				base := c.median(t, step+"hostname")
				hello := c.median(t, step+"/opt/dlp/dlp-hello --json")
				fmt.Printf("%s: srun --mpi=%s -N3 -n12: hostname %.2f s, dlp-hello %+.2f s (target %+.1f s)\n",
					c.release, mpi, base.Seconds(), (hello - base).Seconds(), targetAdded.Seconds())
				assert.Less(t, hello-base, excess*targetAdded)
			})
		}
		for _, mpi := range []string{"none", "pmi2"} {
			t.Run("200 ranks, --mpi="+mpi, func(t *testing.T) {
				r := c.run(t, "ctl", 2*patience, "time -p srun -N3 -n200 --mpi="+mpi+" /opt/dlp/dlp-hello --json")
				require.Zero(t, r.status, "%v", r)
				all, err := reports[hello](r.stdout)
				require.NoError(t, err)
				require.Len(t, all, 1)
				require.Len(t, all[0].Ranks, 200)
				took := realTime(t, r)
				fmt.Printf("%s: srun --mpi=%s -N3 -n200: dlp-hello %.2f s (target %.0f s)\n", c.release, mpi, took.Seconds(), targetLarge.Seconds())
				assert.Less(t, took, excess*targetLarge)
			})
		}
	})
}

// median runs a command on ctl five times and returns the median of its times,
// without what docker adds.
func (c *cluster) median(t *testing.T, command string) time.Duration {
	var times []time.Duration
	for range 5 {
		r := c.run(t, "ctl", patience, "time -p "+command)
		require.Zero(t, r.status, "%s: %v", command, r)
		times = append(times, realTime(t, r))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// realTime reads what bash's time -p has printed.
func realTime(t *testing.T, r result) time.Duration {
	_, after, ok := strings.Cut(r.stderr, "real ")
	require.True(t, ok, "no time: %v", r)
	seconds, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	require.NoError(t, err)
	return time.Duration(seconds * float64(time.Second))
}
