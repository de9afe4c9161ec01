package ame

import (
	"context"
	"sync"
)

// parallelBody is the size, in bytes, from which a rank sends to several at
// once, or while it receives. Below, one after the other is cheaper than the
// goroutines.
const parallelBody = 64 << 10

// others are all other ranks of the group.
func (c *Comm) others() []int {
	var others []int
	for number := range c.group.size {
		if number != c.group.self {
			others = append(others, number)
		}
	}
	return others
}

// othersFrom are the others from the one above this rank on: ranks that each send
// to all in this order do not all write to the same one.
func (c *Comm) othersFrom() []int {
	others := c.others()
	return append(others[c.group.self:], others[:c.group.self]...)
}

// sendAll sends p to some ranks.
func (c *Comm) sendAll(ctx context.Context, now *round, dests []int, p Payload) error {
	return c.sendEach(ctx, now, dests, func(int) Payload { return p })
}

// sendEach sends each of some ranks its part: small ones one after the other,
// large ones at once.
func (c *Comm) sendEach(ctx context.Context, now *round, dests []int, part func(dest int) Payload) error {
	errs := make([]error, len(dests))
	var large sync.WaitGroup
	for i, dest := range dests {
		p := part(dest)
		if len(p.Body) >= parallelBody {
			large.Go(func() { errs[i] = c.sendPart(ctx, now, dest, p) })
		} else if errs[i] = c.sendPart(ctx, now, dest, p); errs[i] != nil {
			break
		}
	}
	large.Wait()
	return firstOf(errs)
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange sends p to one rank and returns the part of another one.
func (c *Comm) exchange(ctx context.Context, now *round, dest int, p Payload, source int) (Payload, error) {
	got, err := c.exchangeList(ctx, now, dest, []Payload{p}, source)
	if err != nil {
		return Payload{}, err
	}
	return got[0], nil
}

// exchangeList sends payloads to one rank and returns as many parts of another
// one.
func (c *Comm) exchangeList(ctx context.Context, now *round, dest int, out []Payload, source int) (in []Payload, err error) {
	err = whileSending(lengthOf(out), func() error {
		for _, p := range out {
			if err := c.sendPart(ctx, now, dest, p); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		in, err = c.awaitList(ctx, now, source, len(out))
		return err
	})
	return in, err
}

// exchangeAll sends each rank its part and returns what has come, by rank. That of
// another rank may come to lie in its place of into.
func (c *Comm) exchangeAll(ctx context.Context, now *round, parts []Payload, into [][]byte) ([]Payload, error) {
	size, self := c.group.size, c.group.self
	all := make([]Payload, size)
	all[self] = parts[self]
	err := whileSending(lengthOf(parts), func() error {
		return c.sendEach(ctx, now, c.othersFrom(), func(dest int) Payload { return parts[dest] })
	}, func() error {
		for step := 1; step < size; step++ {
			source := (self + size - step) % size
			var err error
			if all[source], err = c.awaitPartInto(ctx, now, source, into[source]); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// whileSending sends some bytes and receives: one after the other, or at once if
// there are many.
func whileSending(bytes int, send, receive func() error) error {
	if bytes < parallelBody {
		if err := send(); err != nil {
			return err
		}
		return receive()
	}
	var sent error
	var sending sync.WaitGroup
	sending.Go(func() { sent = send() })
	err := receive()
	sending.Wait()
	return firstOf([]error{err, sent})
}

func lengthOf(payloads []Payload) (bytes int) {
	for _, p := range payloads {
		bytes += len(p.Body)
	}
	return bytes
}

// awaitList waits for n parts of a rank.
func (c *Comm) awaitList(ctx context.Context, now *round, source, n int) ([]Payload, error) {
	got := make([]Payload, n)
	for i := range got {
		var err error
		if got[i], err = c.awaitPart(ctx, now, source); err != nil {
			return nil, err
		}
	}
	return got, nil
}
