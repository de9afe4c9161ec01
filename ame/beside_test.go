package ame

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// What goes on beside a communicator ends with it, by Shrink and by Close, and may
// have begun on another rank before this one knows of it.
func TestBesideEndsWithItsCommunicator(t *testing.T) {
	for name, end := range map[string]struct {
		by   func(c *Comm) error
		want error
	}{
		"shrink": {func(c *Comm) error { _, err := c.Shrink(context.Background()); return err }, ErrLost},
		"close":  {(*Comm).Close, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				noErrors(t, each(connectAll(t, overMemory, 3), func(world *Comm) error {
					c, err := world.Dup(context.Background())
					if err != nil {
						return err
					}
					waiting := make(chan error, 1)
					if c.Rank() > 0 {
						go func() { waiting <- c.Beside().Barrier(context.Background()) }()
					}
					time.Sleep(time.Minute)
					err = end.by(c)
					if c.Rank() > 0 {
						err := <-waiting
						assert.True(t, errors.Is(err, end.want) || errors.Is(err, ErrLeft), "another one may have closed first: %v", err)
					}
					assert.ErrorIs(t, c.Beside().Barrier(context.Background()), end.want)
					return err
				}))
			})
		})
	}
}
