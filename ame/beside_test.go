package ame

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// What goes on beside a communicator ends with it, by Shrink, and may have begun on
// another rank before this one knows of it.
func TestShrinkEndsWhatIsBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noErrors(t, each(connectAll(t, overMemory, 3), func(world *Comm) error {
			c, err := world.Dup(context.Background())
			if err != nil {
				return err
			}
			waiting := besideBarrier(c, c.Rank() > 0)
			time.Sleep(time.Minute)
			_, err = c.Shrink(context.Background())
			if c.Rank() > 0 {
				assert.ErrorIs(t, <-waiting, ErrLost)
			}
			assert.ErrorIs(t, c.Beside().Barrier(context.Background()), ErrLost)
			return err
		}))
	})
}

// Close ends it on its own rank.
func TestCloseEndsWhatIsBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noErrors(t, each(connectAll(t, overMemory, 3), func(world *Comm) error {
			c, err := world.Dup(context.Background())
			if err != nil || c.Rank() != 1 {
				return err // the others do not close it
			}
			waiting := besideBarrier(c, true)
			time.Sleep(time.Minute)
			err = c.Close()
			assert.ErrorIs(t, <-waiting, ErrClosed)
			assert.ErrorIs(t, c.Beside().Barrier(context.Background()), ErrClosed)
			return err
		}))
	})
}

// besideBarrier begins a barrier beside c.
func besideBarrier(c *Comm, begins bool) <-chan error {
	waiting := make(chan error, 1)
	if begins {
		go func() { waiting <- c.Beside().Barrier(context.Background()) }()
	}
	return waiting
}
