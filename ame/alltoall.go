package ame

import "context"

// Alltoall sends each rank a payload of its own, parts[rank], and returns what
// the ranks have sent this one, by rank; its own is parts[Rank] itself. All
// ranks must call Alltoall, in the same order as their other collectives on c.
// After an error, a cancelled ctx included, the job has failed on all ranks.
func (c *Comm) Alltoall(ctx context.Context, which Call, parts []Payload) ([]Payload, error) {
	now, err := c.enter(ctx, opAlltoall, algorithmPairwise, which)
	if err != nil {
		return nil, err
	}
	all, err := c.exchangeAll(ctx, now, parts, make([][]byte, c.group.size))
	return all, c.finish(now, err)
}

// Allgather returns the payloads of all ranks, by rank, on each of them; its
// own is p itself. All ranks must call Allgather, in the same order as their
// other collectives on c. After an error, a cancelled ctx included, the job has
// failed on all ranks.
func (c *Comm) Allgather(ctx context.Context, which Call, p Payload) ([]Payload, error) {
	now, err := c.enter(ctx, opAllgather, algorithmBruck, which)
	if err != nil {
		return nil, err
	}
	all, err := c.gatherAll(ctx, now, p)
	return all, c.finish(now, err)
}

// Scatter sends each rank the payload that the root has for it, parts[rank],
// and returns it there; the root's own is parts[root] itself. What other ranks
// pass is ignored. The root returns when all is on its way. All ranks must call
// Scatter, in the same order as their other collectives on c. After an error, a
// cancelled ctx included, the job has failed on all ranks.
func (c *Comm) Scatter(ctx context.Context, which Call, parts []Payload) (Payload, error) {
	now, err := c.enter(ctx, opScatter, algorithmLinear, which)
	if err != nil {
		return Payload{}, err
	}
	p, err := c.share(ctx, now, which.Root, parts, nil)
	return p, c.finish(now, err)
}

// share sends each rank what the root has for it, which may come to lie in into.
func (c *Comm) share(ctx context.Context, now *round, root int, parts []Payload, into []byte) (Payload, error) {
	if root != c.group.self {
		return c.awaitPartInto(ctx, now, root, into)
	}
	return parts[root], c.sendEach(ctx, now, c.others(), func(dest int) Payload { return parts[dest] })
}

// gatherAll is Bruck's algorithm: a rank has the payloads of ever more ranks
// from its own up, which it sends to ranks 1, 2, 4 and so on below it.
func (c *Comm) gatherAll(ctx context.Context, now *round, own Payload) ([]Payload, error) {
	size, self := c.group.size, c.group.self
	from := make([]Payload, 1, size) // by distance from this rank, upwards
	from[0] = own
	for distance := 1; distance < size; distance *= 2 {
		n := min(distance, size-distance)
		more, err := c.exchangeList(ctx, now, (self+size-distance)%size, from[:n], (self+distance)%size)
		if err != nil {
			return nil, err
		}
		from = append(from, more...)
	}
	all := make([]Payload, size)
	for i, p := range from {
		all[(self+i)%size] = p
	}
	return all, nil
}
