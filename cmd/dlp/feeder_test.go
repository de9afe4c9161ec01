package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

// The last item may come back when all others are finished, at any moment.
func TestLastItemComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feeder{
			items: func(yield func(source.Item, error) bool) { yield(source.Item{}, nil) },
			wait:  true, changed: make(chan struct{}, 1), pending: make(map[int]task),
		}
		given := make(chan task)
		go func() {
			defer close(given)
			f.tasks(func(t task) bool {
				given <- t
				return true
			})
		}()
		for index := range 100 {
			task, ok := <-given
			assert.True(t, ok, "the sequence has ended without it")
			assert.Equal(t, task, f.task(index))
			if index%2 == 0 {
				synctest.Wait()
			}
			f.giveBack(index)
		}
		<-given
		f.finished(100, false)
		_, ok := <-given
		assert.False(t, ok)
	})
}
