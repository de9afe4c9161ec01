package ame

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Collectives are written in terms of parts: what one rank of the group sends
// another one in the collective that both have entered.

// enter numbers a collective on this rank. A ctx that has ended ends it there,
// also where this rank would have nothing to wait for: the same program gets the
// same error on any number of ranks.
func (c *Comm) enter(ctx context.Context, o op, a algorithm, which Call) (*round, error) {
	if which.Root < 0 || which.Root >= c.group.size {
		return nil, c.checkRank(o.String(), which.Root)
	}
	j := c.job
	id := call{op: o, algorithm: a, use: which.Use, root: uint32(c.group.rank(which.Root))}
	var where *callSite
	if a != algorithmMemory {
		site := here(which)
		where = &site
	}
	j.settle()
	if !c.inside.CompareAndSwap(false, true) {
		return nil, c.overlap(id, here(which))
	}
	now, t, conflict := j.matcher.begin(c.id, id, where)
	if conflict != nil {
		j.mismatch(c.id, conflict)
		j.settle()
		t = j.matcher.usable(c.id)
	}
	switch late := ctx.Err() != nil; {
	case t == nil && !late:
		return now, nil
	case t == nil:
		return nil, c.finish(now, j.errorf(o.String(), -1, context.Cause(ctx)))
	case late && t.gaveUp():
		t = &trouble{-1, context.Cause(ctx)} // as it has on that rank
	}
	c.inside.Store(false)
	return nil, j.report(o.String(), t)
}

// overlap ends the job because a collective has begun here in the middle of
// another one: which is the first may be different on other ranks.
func (c *Comm) overlap(which call, where callSite) error {
	f := &failure{reason: reasonMismatch, peer: c.job.rank, text: fmt.Sprintf("%v: %s began here while another one on the same communicator was under way: "+
		"one goroutine at a time; a second one needs a communicator of its own (Dup)", ErrMismatch, where.text(which))}
	c.job.fail(f)
	t := c.job.matcher.usable(c.id)
	if t == nil { // a Close of this rank is under way
		t = f.trouble()
	}
	return c.job.report(which.op.String(), t)
}

// finish passes the result of a collective on. After an error this rank's
// part is missing, so the others are told instead of left to wait. Of a lost
// rank they are told anyway: that ends the communicator, or its collectives, and
// not the job.
func (c *Comm) finish(now *round, err error) error {
	defer c.inside.Store(false)
	if c.job.suspects.Load() {
		c.job.settle()
		if t := c.job.matcher.usable(c.id); t != nil {
			err = c.job.report(now.call.op.String(), t)
		}
	}
	if err != nil && !errors.Is(err, ErrLost) && c.job.matcher.usable(c.id) == nil {
		c.job.fail(&failure{reason: reasonGaveUp, peer: c.job.rank, text: causeText(err)})
	}
	return err
}

// sendPart sends p to a rank of the group as this rank's part.
func (c *Comm) sendPart(ctx context.Context, now *round, dest int, p Payload) error {
	c.job.settle()
	h := header{kind: kindPart, call: now.call, tag: now.seq, format: p.Format}
	rank := c.group.rank(dest)
	if c.job.mayExpose(rank, len(p.Body)) {
		if fetched, err := c.expose(ctx, now, h, rank, p.Body); fetched || err != nil {
			return err
		}
	}
	return c.sendCounted(ctx, now, &h, rank, p.Body)
}

// awaitPart waits for the part of a rank of the group.
func (c *Comm) awaitPart(ctx context.Context, now *round, source int) (Payload, error) {
	return c.awaitPartInto(ctx, now, source, nil)
}

// awaitPartInto is awaitPart of a part that may come to lie in into, if it has as
// many bytes.
func (c *Comm) awaitPartInto(ctx context.Context, now *round, source int, into []byte) (Payload, error) {
	for {
		a, err := c.receive(ctx, now.part(c.group.rank(source)), now)
		if err != nil {
			return Payload{}, err
		}
		if !a.exposed {
			c.received(a)
			return a.Payload, nil
		}
		if p, fetched, err := c.fetch(ctx, now, a, into); fetched || err != nil {
			return p, err
		}
	}
}

// part is what a call waits for that wants the part of a rank of the job.
func (r *round) part(rank int) pattern {
	return pattern{kind: kindPart, op: r.call.op, source: rank, tag: int(r.seq)}
}

// collect receives the parts of all other ranks of the group, by number. Long ones
// come at once, if this rank's own is one, and may come to lie in into, as many
// bytes for each rank.
func (c *Comm) collect(ctx context.Context, now *round, own Payload, into []byte) ([]Payload, error) {
	if len(own.Body) >= parallelBody {
		return c.collectAtOnce(ctx, now, own, into)
	}
	all := make([]Payload, c.group.size)
	all[c.group.self] = own
	// The last rank was also the last that the collective before let go. When
	// its part is here those of the others mostly are: one wait instead of many.
	for source := c.group.size - 1; source >= 0; source-- {
		if source == c.group.self {
			continue
		}
		p, err := c.awaitPart(ctx, now, source)
		if err != nil {
			return nil, c.nameAbsent(ctx, now, c.notCome(now, source), err)
		}
		all[source] = p
	}
	return all, nil
}

// collectAtOnce is collect of long parts.
func (c *Comm) collectAtOnce(ctx context.Context, now *round, own Payload, into []byte) ([]Payload, error) {
	all := make([]Payload, c.group.size)
	all[c.group.self] = own
	errs := make([]error, c.group.size)
	var coming sync.WaitGroup
	for _, source := range c.others() {
		coming.Go(func() {
			all[source], errs[source] = c.awaitPartInto(ctx, now, source, shareOf(into, c.group.size, source))
		})
	}
	coming.Wait()
	err := firstOf(errs)
	if err == nil {
		return all, nil
	}
	var absent []int
	for source, err := range errs {
		if err != nil {
			absent = append(absent, c.group.rank(source))
		}
	}
	return nil, c.nameAbsent(ctx, now, absent, err)
}

// shareOf is what falls to a rank of a slice that has as many bytes for each.
func shareOf(b []byte, size, rank int) []byte {
	length := len(b) / size
	return b[rank*length : (rank+1)*length]
}

// notCome returns the ranks, up to the number last, whose part is not here.
func (c *Comm) notCome(now *round, last int) []int {
	others := slices.DeleteFunc(c.others(), func(number int) bool { return number > last })
	return c.job.matcher.missing(c.id, now.part(AnySource), c.group.ranksOf(others))
}

// nameAbsent puts into err, if ctx has ended while this rank waited for all
// others, which ranks have not come.
func (c *Comm) nameAbsent(ctx context.Context, now *round, absent []int, err error) error {
	j := c.job
	if ctx.Err() == nil || j.matcher.usable(c.id) != nil || len(absent) == 0 {
		return err
	}
	who := rankList(absent)
	if len(absent) == 1 {
		who += " on " + j.mesh.host(absent[0])
	}
	return j.errorf(now.call.op.String(), -1, fmt.Errorf("waited for %s: %w", who, context.Cause(ctx)))
}

// explain adds where this rank is to the trouble that another one has closed
// while this one waits for it in a collective; nil is no collective.
func (r *round) explain(t *trouble) *trouble {
	if r == nil || t.err != ErrLeft {
		return t
	}
	return &trouble{t.peer, fmt.Errorf("%w, and this rank waits for it in %s", ErrLeft, r.where.text(r.call))}
}
