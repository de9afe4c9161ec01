package ame

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Messages go to the calls in the order in which these have begun, whenever
// each is waited for.
func TestExpect(t *testing.T) {
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, 3)
			for _, pair := range [][2]*Comm{{comms[0], comms[1]}, {comms[1], comms[0]}, {comms[1], comms[2]}} {
				here, there := pair[0], pair[1]
				require.NoError(t, there.Send(t.Context(), here.Rank(), 1, text("first")))
				var begun []*Expected
				for _, source := range []int{there.Rank(), AnySource, there.Rank()} {
					e, err := here.Expect(source, 1)
					require.NoError(t, err)
					begun = append(begun, e)
				}
				require.NoError(t, there.Send(t.Context(), here.Rank(), 1, text("second")))
				require.NoError(t, there.Send(t.Context(), here.Rank(), 1, text("third")))
				for _, i := range []int{2, 0, 1} {
					m, err := begun[i].Wait(t.Context())
					require.NoError(t, err)
					assert.Equal(t, []string{"first", "second", "third"}[i], string(m.Body))
				}
			}
		})
	}
}

func TestExpectIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 2)
		e, err := comms[0].Expect(1, 1)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = e.Wait(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, comms[1].Send(t.Context(), 0, 1, text("m")))
		_, err = comms[0].Recv(t.Context(), 1, 1)
		require.NoError(t, err)

		_, err = comms[0].Expect(2, 1)
		assert.ErrorContains(t, err, "no rank 2")
		e, err = comms[0].Expect(1, 1)
		require.NoError(t, err)
		go comms[0].Close()
		_, err = e.Wait(t.Context())
		assert.ErrorIs(t, err, ErrClosed)
		_, err = comms[0].Expect(1, 1)
		assert.ErrorIs(t, err, ErrClosed)
	})
}

// What nobody waits for yet does not keep calls from reading by themselves.
func TestExpectDoesNotSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 2)
		e, err := comms[0].Expect(1, 1)
		require.NoError(t, err)
		assert.Zero(t, comms[0].job.matcher.sleepers.Load())
		got := make(chan error)
		go func() {
			_, err := e.Wait(t.Context())
			got <- err
		}()
		synctest.Wait()
		assert.EqualValues(t, 1, comms[0].job.matcher.sleepers.Load())
		require.NoError(t, comms[1].Send(t.Context(), 0, 1, text("m")))
		require.NoError(t, <-got)
		assert.Zero(t, comms[0].job.matcher.sleepers.Load())
	})
}
