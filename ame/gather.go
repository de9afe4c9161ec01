package ame

import "context"

// Gather collects one payload from every rank on the root.
//
// The root gets Size payloads, indexed by rank; its own is p itself. Every
// other rank gets nil, as soon as its part is on its way or, where the root
// copies it, has been copied. All ranks must call Gather, in the same order as
// their other collectives on c. After an error, a cancelled ctx included, the
// job has failed on all ranks.
func (c *Comm) Gather(ctx context.Context, which Call, p Payload) ([]Payload, error) {
	now, err := c.enter(ctx, opGather, algorithmLinear, which)
	if err != nil {
		return nil, err
	}
	if which.Root != c.group.self {
		return nil, c.finish(now, c.sendPart(ctx, now, which.Root, p))
	}
	all, err := c.collect(ctx, now, p, nil)
	return all, c.finish(now, err)
}
