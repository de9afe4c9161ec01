package ame

import "context"

// treeBarrier is an allreduce of nothing: the leader takes and sends a part for each
// doubling of the ranks, and not for each rank.
func (c *Comm) treeBarrier(ctx context.Context, now *round) error {
	_, err := c.foldTo(ctx, now, 0, Payload{}, func(low, _ Payload) (Payload, error) { return low, nil })
	if err == nil {
		_, err = c.carry(ctx, now, 0, Payload{}, nil)
	}
	return err
}
