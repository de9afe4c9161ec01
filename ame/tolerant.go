package ame

import (
	"context"
	"errors"
	"slices"
)

// lossPolicy says what becomes of a communicator when one of its ranks is
// lost. All its ranks have the same.
type lossPolicy uint8

const (
	intolerant lossPolicy = iota // all its calls end
	tolerant                     // its collectives end, and what waits for the lost rank alone
)

// call is the identity of the Dup that makes such a communicator, so that ranks
// which ask for different ones get an error.
func (p lossPolicy) call() Call {
	if p == tolerant {
		return Call{Use: uint8(p), Name: "tolerant dup"}
	}
	return Call{}
}

// DupTolerant is Dup for messages that go on when ranks are lost. Only what
// needs a lost rank is an error then, which is ErrLost: to send to it, to wait
// for it alone, and every collective, also one that other ranks are in. All
// ranks must ask for the same kind of Dup.
func (c *Comm) DupTolerant(ctx context.Context) (*Comm, error) { return c.dup(ctx, tolerant) }

// Lost returns the ranks of the communicator that are lost, in ascending order.
// They stay so.
func (c *Comm) Lost() []int {
	ranks, _ := c.lost()
	return ranks
}

// AwaitLost waits until more ranks of the communicator are lost than known, or
// ctx ends, and returns what Lost does.
func (c *Comm) AwaitLost(ctx context.Context, known int) []int {
	failed := c.job.hasFailed
	for {
		ranks, more := c.lost()
		if len(ranks) > known {
			return ranks
		}
		select {
		case <-more:
		case <-failed:
			failed = nil // once
		case <-ctx.Done():
			return ranks
		}
	}
}

// LossOf returns, of a rank that is lost, the error of a call that would have
// waited for it, else nil.
func (c *Comm) LossOf(rank int) error {
	j, peer := c.job, c.group.rank(rank)
	if t := j.mesh.gone(peer); t != nil && errors.Is(t.err, ErrLost) {
		return j.report("recv", t)
	}
	if f := j.failure(); f != nil && f.reason == reasonLost && f.peer == peer {
		return j.report("recv", f.trouble())
	}
	return nil
}

// lost is Lost with what is closed when there is another one. The loss of rank 0
// of the job ends the job, and so is not in the mesh.
func (c *Comm) lost() (ranks []int, more <-chan struct{}) {
	ranks, more = c.job.mesh.lost(c.group)
	if f := c.job.failure(); f != nil && f.reason == reasonLost {
		if number, ok := c.group.number(f.peer); ok && !slices.Contains(ranks, number) {
			ranks = append(ranks, number)
			slices.Sort(ranks)
		}
	}
	return ranks, more
}
