package ame

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Comm is a communicator: some ranks of a job, or all of them, and a number
// that keeps their messages apart from those of every other communicator.
// Inside it the ranks are numbered from 0. Its methods may be called from
// several goroutines, but collectives must be called in the same order on all
// its ranks, so one at a time: a second one at the same time ends the job.
type Comm struct {
	job   *job
	id    commID
	group *group
	once  sync.Once

	credit credit

	oneNode func() bool // all ranks are known to run on one
	inside  atomic.Bool // in a collective
	shrunk  atomic.Bool // Shrink was called
	barrier barrierWay  // nil: by messages
	beside  atomic.Pointer[Comm]
}

// Beside returns the communicator of the same ranks that each communicator has
// beside it, for collectives that go on in the background. It is not collective:
// all ranks know its number. It has none beside itself, and ends with c.
func (c *Comm) Beside() *Comm {
	if b := c.beside.Load(); b != nil {
		return b
	}
	b := c.job.newComm(c.id.beside(), c.group, intolerant)
	if c.beside.CompareAndSwap(nil, b) {
		return b
	}
	return c.beside.Load()
}

// Rank returns this process's rank, 0 .. Size-1.
func (c *Comm) Rank() int { return c.group.self }

// Size returns the number of ranks.
func (c *Comm) Size() int { return c.group.size }

// JobRank returns the rank of the job that has a rank in c.
func (c *Comm) JobRank(rank int) int { return c.group.rank(rank) }

// RankOf returns the rank in c of a rank of the job, ok == false if that is not
// in c.
func (c *Comm) RankOf(jobRank int) (rank int, ok bool) { return c.group.number(jobRank) }

// Peers returns what is known of each rank, in rank order. The caller must
// not change it.
func (c *Comm) Peers() []Peer {
	known := c.job.mesh.directory()
	if c.group.ranks == nil {
		return known
	}
	peers := make([]Peer, c.group.size)
	for number, rank := range c.group.ranks {
		peers[number] = known[rank]
	}
	return peers
}

// Close ends the communicator on this rank; other ranks need not call it at
// the same time. Calls that wait on it end with ErrClosed. Closing the one
// that Connect returned ends the job's connections, after all that was sent
// has been taken; on rank 0 it returns when all other ranks but one have closed,
// or are lost, because what they send each other may come through it, or when the job has
// failed. That another rank is in a collective which this one has not entered is
// an error then. It is an error to close another communicator when it is known that
// a rank has dropped what was sent to it there by Send, after it had closed. A
// second Close does nothing.
func (c *Comm) Close() error {
	if c.id == 0 {
		return c.job.close()
	}
	var err error
	c.once.Do(func() {
		if t := c.job.matcher.droppedBy(c.id); t != nil {
			err = c.job.errorf("close", t.peer, errClosedEarly)
		}
		revokedBefore := c.job.matcher.isRevoked(c.id)
		for _, id := range []commID{c.id, c.id.beside()} {
			dropped, askers := c.job.matcher.close(id, &trouble{-1, ErrClosed})
			for from, cost := range dropped {
				c.job.giveBack(id, from, cost)
			}
			for _, rank := range askers {
				c.job.sayClosed(id, rank, closedAsked)
			}
		}
		if !c.shrunk.Load() && revokedBefore {
			c.job.declines(c.id)
		}
	})
	return err
}

// Abort makes every waiting and every later call on all ranks of the job fail
// with an error that names this rank and the cause. It returns when the ranks
// that this one is connected to have been told, after a second at the latest.
// It does not end the process.
func (c *Comm) Abort(cause error) {
	if cause == nil {
		cause = errors.New("no reason given")
	}
	c.job.fail(&failure{reason: reasonAborted, peer: c.job.rank, text: cause.Error()})
	c.job.telling.Wait()
}
