package dlp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Ranks of Run that wait for each other for ever get an error that says where.
func TestRanksOfRunWaitForEachOther(t *testing.T) {
	for name, program := range map[string]func(ctx context.Context, world, dup *Comm) error{
		"barrier of a dup": stalls["barrier of a dup"],
		"recv":             stalls["recv"],
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			err := Run(t.Context(), 3, func(ctx context.Context, world *Comm) error {
				dup, err := world.Dup(ctx)
				if err != nil {
					return err
				}
				return program(ctx, world, dup)
			})
			assert.ErrorIs(t, err, ErrMismatch)
			assert.ErrorContains(t, err, "all ranks wait for each other, none can go on: ")
			assert.ErrorContains(t, err, "stall_test.go:")
			assert.Less(t, time.Since(start), 20*time.Second)
		})
	}
}

// A goroutine that may act later is waited for, in virtual time as well.
func TestRanksOfRunAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		go func() {
			time.Sleep(time.Hour)
			close(late)
		}()
		assert.NoError(t, Run(t.Context(), 3, func(ctx context.Context, world *Comm) error {
			if world.IsRoot() {
				go func() {
					<-late
					_ = Send(ctx, world, 7, 1, 0)
				}()
			}
			if world.Rank() == 1 {
				if _, _, err := Recv[int](ctx, world, 0, 0); err != nil {
					return err
				}
			}
			return world.Barrier(ctx)
		}))
	})
}
