package dlp

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// StopOn ends an endless sequence of rank 0, with work in several slots: all that
// is done is delivered.
func TestMapFromRootStops(t *testing.T) {
	for _, size := range []int{1, 3} {
		var worked, got tally
		stop := newStopper()
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			work := func(_ context.Context, n int) (int, error) {
				if n > 50 {
					stop.ask()
				}
				worked.add(n)
				return n, nil
			}
			for r, err := range MapFromRoot(ctx, c, atRoot(c, count(-1)), work, Slots(3), StopOn(stop.stop, time.Hour)) {
				if err != nil {
					return err
				}
				got.add(r.Value)
			}
			return nil
		})
		for _, err := range errs {
			require.ErrorIs(t, err, ErrStopped)
			assert.Regexp(t, `stopped as asked, not done: .*all (items )?from \d+ on`, err)
		}
		assert.Equal(t, worked.counts, got.counts)
	}
}

// At the end of the grace the ctx of work ends in all slots, although another slot
// of the rank waits for items.
func TestGraceEndsAllSlots(t *testing.T) {
	for _, size := range []int{1, 2} {
		stop := newStopper()
		began, ended := make(chan struct{}, 2), make(chan struct{})
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			work := func(ctx context.Context, n int) (int, error) {
				began <- struct{}{}
				<-ctx.Done()
				return 0, context.Cause(ctx)
			}
			items := func(yield func(int) bool) {
				if !yield(0) || !yield(1) {
					return
				}
				<-began
				<-began
				stop.ask()
				<-ended // there might be more
			}
			if c.IsRoot() {
				defer close(ended)
			}
			for _, err := range MapFromRoot(ctx, c, atRoot(c, items), work, Slots(3), StopOn(stop.stop, 0)) {
				return err
			}
			return nil
		})
		for rank, err := range errs {
			require.ErrorIs(t, err, ErrStopped, "rank %d of %d", rank, size)
			assert.ErrorContains(t, err, "items 0-1")
		}
	}
}
