package ame

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// A collective that begins on a rank in the middle of another one of its
// communicator ends both, on all ranks, with an error that says where.
func TestOverlap(t *testing.T) {
	for name, begin := range collectives {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overMemory, 3)
				enter := func(c *Comm) <-chan error {
					err := make(chan error, 1)
					go func() { err <- c.Barrier(context.Background()) }()
					return err
				}
				waiting, other := enter(comms[0]), enter(comms[2])
				synctest.Wait()
				err := begin(context.Background(), comms[0])
				for _, err := range []error{err, <-waiting, <-other} {
					assert.ErrorIs(t, err, ErrMismatch)
					assert.ErrorContains(t, err, name+" (collective_test.go:")
					assert.ErrorContains(t, err, "began here while another one on the same communicator was under way")
				}
			})
		})
	}
}

// A collective that begins in the middle of another one while this rank closes
// gets an error, too.
func TestOverlapAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 2)
		comms[0].inside.Store(true)
		go comms[0].Close()
		synctest.Wait()
		assert.ErrorIs(t, comms[0].Barrier(t.Context()), ErrClosed)
	})
}
