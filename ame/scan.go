package ame

import "context"

// Scan folds the payloads of rank 0 up to this rank's, in the order of the
// ranks, and returns the result: on rank 0 p itself. The brackets depend on the
// rank alone. All ranks must call Scan, in the same order as their other
// collectives on c. After an error, a cancelled ctx included, the job has
// failed on all ranks.
func (c *Comm) Scan(ctx context.Context, which Call, p Payload, fold Fold) (Payload, error) {
	now, err := c.enter(ctx, opScan, algorithmDoubling, which)
	if err != nil {
		return Payload{}, err
	}
	p, err = c.foldPrefix(ctx, now, p, fold)
	return p, c.finish(now, err)
}

// Exscan is Scan without this rank's payload: it returns what Scan does on the
// rank before, and nothing on rank 0.
func (c *Comm) Exscan(ctx context.Context, which Call, p Payload, fold Fold) (Payload, error) {
	now, err := c.enter(ctx, opExscan, algorithmDoubling, which)
	if err != nil {
		return Payload{}, err
	}
	p, err = c.foldPrefix(ctx, now, p, fold)
	if err == nil {
		p, err = c.shift(ctx, now, 1, p)
	}
	return p, c.finish(now, err)
}

// foldPrefix folds what ever larger groups before this rank have come to.
func (c *Comm) foldPrefix(ctx context.Context, now *round, p Payload, fold Fold) (Payload, error) {
	for distance := 1; distance < c.group.size; distance *= 2 {
		q, err := c.shift(ctx, now, distance, p)
		if err == nil && c.group.self >= distance {
			p, err = c.foldWith(now, c.group.self-distance, q, p, fold)
		}
		if err != nil {
			return Payload{}, err
		}
	}
	return p, nil
}

// shift sends p as far up as distance says, and returns what comes from as far
// down. Ranks at the ends send, or get, nothing.
func (c *Comm) shift(ctx context.Context, now *round, distance int, p Payload) (Payload, error) {
	to, from := c.group.self+distance, c.group.self-distance
	switch {
	case to < c.group.size && from >= 0:
		return c.exchange(ctx, now, to, p, from)
	case to < c.group.size:
		return Payload{}, c.sendPart(ctx, now, to, p)
	case from >= 0:
		return c.awaitPart(ctx, now, from)
	}
	return Payload{}, nil
}
