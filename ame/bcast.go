package ame

import (
	"context"
	"sync"
)

// parallelBody is the body size from which a broadcast writes to all ranks
// at once. Below, one write after the other is cheaper than the goroutines.
const parallelBody = 64 << 10

// Bcast sends the root's payload to all ranks and returns it on each; what the
// others pass is ignored. All ranks must call Bcast, in the same order as
// their other collectives on c. The root returns when all is on its way, the
// others when it is there. After an error, a cancelled ctx included, the job
// has failed on all ranks.
func (c *Comm) Bcast(ctx context.Context, which Call, p Payload) (Payload, error) {
	return c.bcast(ctx, opBcast, which, p)
}

func (c *Comm) bcast(ctx context.Context, o op, which Call, p Payload) (Payload, error) {
	now, err := c.enter(o, algorithmLinear, which)
	if err != nil {
		return Payload{}, err
	}
	if which.Root == c.group.self {
		return p, c.finish(now, c.spread(ctx, now, p))
	}
	got, err := c.awaitPart(ctx, now, which.Root)
	return got, c.finish(now, err)
}

// spread sends p to all other ranks of the group.
func (c *Comm) spread(ctx context.Context, now *round, p Payload) error {
	if len(p.Body) < parallelBody {
		for dest := range c.group.size {
			if dest == c.group.self {
				continue
			}
			if err := c.sendPart(ctx, now, dest, p); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, c.group.size)
	var wg sync.WaitGroup
	for dest := range c.group.size {
		if dest != c.group.self {
			wg.Go(func() { errs[dest] = c.sendPart(ctx, now, dest, p) })
		}
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
