package dlp

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// afterLoss uses a Comm of some ranks in every way.
func afterLoss(ctx context.Context, c *Comm) error {
	sum := 0
	for r, err := range MapUnordered(ctx, c, numbers(50), func(_ context.Context, n int) (int, error) { return n, nil }) {
		if err != nil {
			return err
		}
		sum += r.Value
	}
	total, err := Bcast(ctx, c, sum)
	if err != nil || total != 50*49/2 {
		return fmt.Errorf("map has come to %d: %w", total, err)
	}
	mine := 0
	for n, err := range SplitManaged(ctx, c, numbers(50)) {
		if err != nil {
			return err
		}
		mine += n
	}
	all, err := Allgather(ctx, c, mine)
	if err != nil || len(all) != c.Size() {
		return fmt.Errorf("%d parts: %w", len(all), err)
	}
	half, err := c.Split(ctx, c.Rank()%2, 0)
	if err != nil {
		return err
	}
	if err := half.Barrier(ctx); err != nil {
		return err
	}
	return c.Barrier(ctx) // what half's ranks say goes by way of rank 0
}

// The ranks that are left when a loop, a collective or a message has met the loss
// of one go on with a Comm of their own.
func TestShrink(t *testing.T) {
	const size, victim = 5, 2
	for name, meet := range map[string]func(ctx context.Context, job *breakable, c *Comm) error{
		"in a loop": func(ctx context.Context, job *breakable, c *Comm) error {
			for _, err := range SplitManaged(ctx, c, numbers(200)) {
				if err != nil {
					return err
				}
				if c.Rank() == victim {
					job.cut(victim)
					return errOdd
				}
				c.ame.AwaitLost(ctx, 0)
			}
			return errors.New("the loop has ended well")
		},
		"in different calls": func(ctx context.Context, job *breakable, c *Comm) error {
			switch c.Rank() {
			case victim:
				job.cut(victim)
				return errOdd
			case 0:
				return c.Barrier(ctx)
			case 1:
				_, _, err := Recv[int](ctx, c, victim, 0)
				return err
			}
			_, err := Bcast(ctx, c, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			job := startBreakable(t, size, nil)
			errs := job.run(func(c *Comm) error {
				err := meet(ctx, job, c)
				if c.Rank() == victim {
					return err
				}
				if !errors.Is(err, ErrLost) {
					return fmt.Errorf("met with %w", err)
				}
				rest, err := c.Shrink(ctx)
				if err != nil {
					return err
				}
				defer rest.Close()
				if in, ok := c.Translate(4, rest); rest.Size() != size-1 || !ok || in != 3 {
					return fmt.Errorf("%d ranks are left, rank 4 is %d", rest.Size(), in)
				}
				if peers := rest.Info().Peers; len(peers) != size-1 || peers[2] != c.Info().Peers[3] {
					return fmt.Errorf("peers are %v", peers)
				}
				return afterLoss(ctx, rest)
			})
			for rank, err := range errs {
				if rank != victim {
					assert.NoError(t, err, "rank %d", rank)
				}
			}
		})
	}
}

func TestShrinkMisuse(t *testing.T) {
	err := Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		for _, err := range SplitManaged(ctx, c, numbers(4)) {
			if err != nil {
				return err
			}
			_, err = c.Shrink(ctx)
			assert.ErrorContains(t, err, "this Comm is inside a split")
		}
		rest, err := c.Shrink(ctx)
		if err != nil {
			return err
		}
		_, err = c.Shrink(ctx)
		assert.ErrorContains(t, err, "shrunk before")
		assert.ErrorIs(t, c.Barrier(ctx), ErrLost)
		return afterLoss(ctx, rest)
	})
	assert.NoError(t, err)
	var none *Comm
	_, err = none.Shrink(t.Context())
	assert.Error(t, err)
}
