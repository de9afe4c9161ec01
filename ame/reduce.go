package ame

import "context"

// Reduce folds the payloads of all ranks, in the order of the ranks, and
// returns the result on the root; every other rank gets nothing, as soon as its
// part is on its way. With one rank the result is p.
//
// The brackets depend on the number of ranks alone. All ranks must call Reduce,
// in the same order as their other collectives on c. After an error, a
// cancelled ctx included, the job has failed on all ranks.
func (c *Comm) Reduce(ctx context.Context, which Call, p Payload, fold Fold) (Payload, error) {
	now, err := c.enter(ctx, opReduce, algorithmTree, which)
	if err != nil {
		return Payload{}, err
	}
	p, err = c.foldTo(ctx, now, which.Root, p, fold)
	return p, c.finish(now, err)
}

// Allreduce is Reduce with the result on all ranks, which is that of Reduce.
func (c *Comm) Allreduce(ctx context.Context, which Call, p Payload, fold Fold) (Payload, error) {
	now, err := c.enter(ctx, opAllreduce, allreduceBy(c.group.size), which)
	if err != nil {
		return Payload{}, err
	}
	if now.call.algorithm == algorithmDoubling {
		p, err = c.foldDoubling(ctx, now, p, fold)
	} else {
		p, err = c.foldTo(ctx, now, 0, p, fold)
		if err == nil {
			p, err = c.carry(ctx, now, 0, p, nil)
		}
	}
	return p, c.finish(now, err)
}

// foldDoubling folds on all ranks by exchanges with ranks at distances of 1, 2,
// 4 and so on. The number of ranks is a power of two.
func (c *Comm) foldDoubling(ctx context.Context, now *round, p Payload, fold Fold) (Payload, error) {
	for distance := 1; distance < c.group.size; distance *= 2 {
		peer := c.group.self ^ distance
		q, err := c.exchange(ctx, now, peer, p, peer)
		if err == nil {
			p, err = c.foldWith(now, peer, q, p, fold)
		}
		if err != nil {
			return Payload{}, err
		}
	}
	return p, nil
}

// ReduceScatter folds, for each rank, the payloads that all ranks have for it,
// and returns the result for this rank: parts has one for each rank. The
// brackets are those of Reduce; so is the rest.
func (c *Comm) ReduceScatter(ctx context.Context, which Call, parts []Payload, fold Fold) (Payload, error) {
	now, err := c.enter(ctx, opReduceScatter, algorithmPairwise, which)
	if err != nil {
		return Payload{}, err
	}
	p, err := c.foldScattered(ctx, now, parts, fold)
	return p, c.finish(now, err)
}

// foldScattered sends each rank its part and folds what comes for this one.
func (c *Comm) foldScattered(ctx context.Context, now *round, parts []Payload, fold Fold) (Payload, error) {
	all, err := c.exchangeAll(ctx, now, parts, make([][]byte, c.group.size))
	if err != nil {
		return Payload{}, err
	}
	f := folder{fold: fold}
	for source, p := range all {
		if err := f.add(p); err != nil {
			return Payload{}, c.disagree(now, source, err)
		}
	}
	p, err := f.result()
	if err != nil {
		return Payload{}, c.disagree(now, c.group.size-1, err)
	}
	return p, nil
}
