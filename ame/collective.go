package ame

import (
	"context"
	"fmt"
	"sync"
)

// parallelBody is the body size from which a broadcast writes to all ranks
// at once. Below, one write after the other is cheaper than the goroutines.
const parallelBody = 64 << 10

// start numbers a collective on this rank.
func (c *Comm) start(k kind) (seq uint32, err error) {
	j := c.job
	j.mu.Lock()
	err = c.usable(k.String())
	if err != nil {
		j.mu.Unlock()
		return 0, err
	}
	seq, conflict := j.box(c.id).begin(k)
	j.mu.Unlock()
	if conflict != nil {
		j.mismatch(conflict, c.id)
		j.mu.Lock()
		err = c.usable(k.String())
		j.mu.Unlock()
	}
	return seq, err
}

// finish passes the result of a collective on. After an error this rank's
// part is missing, so the others are told instead of left to wait.
func (c *Comm) finish(k kind, err error) error {
	if err == nil {
		return nil
	}
	c.job.fail(&failure{reason: reasonGaveUp, peer: c.job.rank, text: causeText(err)})
	return err
}

// Bcast sends rank 0's payload to all ranks and returns it on each; what the
// others pass is ignored. All ranks must call Bcast, in the same order as
// their other collectives on c. Rank 0 returns when all is on its way, the
// others when it is there. After an error, a cancelled ctx included, the job
// has failed on all ranks.
func (c *Comm) Bcast(ctx context.Context, p Payload) (Payload, error) {
	return c.bcast(ctx, kindBcast, p)
}

func (c *Comm) bcast(ctx context.Context, k kind, p Payload) (Payload, error) {
	seq, err := c.start(k)
	if err != nil {
		return Payload{}, err
	}
	if c.job.rank == 0 {
		return p, c.finish(k, c.spreadOut(ctx, k, seq, p))
	}
	a, err := c.receive(ctx, pattern{kind: k, source: 0, tag: int(seq)})
	if err != nil {
		return Payload{}, c.finish(k, err)
	}
	return a.Payload, nil
}

// spreadOut sends p from rank 0 to all others as their part of a collective.
func (c *Comm) spreadOut(ctx context.Context, k kind, seq uint32, p Payload) error {
	size := c.job.size
	if len(p.Body) < parallelBody {
		for dest := 1; dest < size; dest++ {
			if err := c.sendPart(ctx, k, seq, dest, p); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, size)
	var wg sync.WaitGroup
	for dest := 1; dest < size; dest++ {
		wg.Go(func() { errs[dest] = c.sendPart(ctx, k, seq, dest, p) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Comm) sendPart(ctx context.Context, k kind, seq uint32, dest int, p Payload) error {
	h := header{kind: k, tag: seq, format: p.Format}
	return c.send(ctx, &h, dest, p.Body)
}

// Gather collects one payload from every rank on rank 0.
//
// Rank 0 gets Size payloads, indexed by rank; its own is p itself. Every
// other rank gets nil, as soon as its part is on its way. All ranks must call
// Gather, in the same order as their other collectives on c. After an error,
// a cancelled ctx included, the job has failed on all ranks.
func (c *Comm) Gather(ctx context.Context, p Payload) ([]Payload, error) {
	seq, err := c.start(kindGather)
	if err != nil {
		return nil, err
	}
	if c.job.rank != 0 {
		return nil, c.finish(kindGather, c.sendPart(ctx, kindGather, seq, 0, p))
	}
	all, err := c.collect(ctx, kindGather, seq, p)
	return all, c.finish(kindGather, err)
}

// collect receives on rank 0 the parts of all other ranks in a collective.
func (c *Comm) collect(ctx context.Context, k kind, seq uint32, own Payload) ([]Payload, error) {
	all := make([]Payload, c.job.size)
	all[0] = own
	// The last rank was also the last that the collective before let go. When
	// its part is here those of the others mostly are: one wait instead of many.
	for source := c.job.size - 1; source > 0; source-- {
		a, err := c.receive(ctx, pattern{kind: k, source: source, tag: int(seq)})
		if err != nil {
			return nil, c.nameAbsent(ctx, k, c.notCome(k, seq, source), err)
		}
		all[source] = a.Payload
	}
	return all, nil
}

// notCome returns the ranks, up to last, whose part in a collective is not here.
func (c *Comm) notCome(k kind, seq uint32, last int) []int {
	j := c.job
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.box(c.id)
	var absent []int
	for source := 1; source <= last && b != nil; source++ {
		if !b.has(pattern{kind: k, source: source, tag: int(seq)}) {
			absent = append(absent, source)
		}
	}
	return absent
}

// nameAbsent puts into err, if ctx has ended while rank 0 waited in a
// collective, which ranks have not come.
func (c *Comm) nameAbsent(ctx context.Context, k kind, absent []int, err error) error {
	j := c.job
	j.mu.Lock()
	failed := j.failed != nil
	j.mu.Unlock()
	if ctx.Err() == nil || failed || len(absent) == 0 {
		return err
	}
	who := rankList(absent)
	if len(absent) == 1 {
		who += " on " + j.host(absent[0])
	}
	return j.errorf(k.String(), -1, fmt.Errorf("waited for %s: %w", who, context.Cause(ctx)))
}
