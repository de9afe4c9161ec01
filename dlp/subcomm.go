package dlp

import (
	"context"

	"github.com/dlp-mpi/dlp-go/ame"
)

// derived is a Comm of some ranks of c, or all of them, over a backend of its
// own.
func (c *Comm) derived(backend *ame.Comm) *Comm {
	info := c.info
	info.Rank, info.Size, info.Peers = backend.Rank(), backend.Size(), peersOf(backend)
	return &Comm{ame: backend, info: info, codec: c.codec, loops: c.loops, stop: c.stop, requests: c.requests, services: c.services, launcher: c.launcher, exit: c.exit}
}

// DupTolerant is Dup for messages that go on when a rank is lost: then only what
// needs that rank is an ErrLost, which is to send to it, to wait for it alone, and
// every collective. It is collective; all ranks ask for the same kind of Dup.
func (c *Comm) DupTolerant(ctx context.Context) (*Comm, error) {
	if err := c.idle("tolerant dup"); err != nil {
		return nil, err
	}
	backend, err := c.ame.DupTolerant(ctx)
	if err != nil {
		return nil, err
	}
	return c.derived(backend), nil
}

// Split returns a Comm of those ranks of c that pass the same color. They are
// numbered from 0 in the order of their keys, and of their ranks in c where keys
// are equal. A rank with a negative color gets nil.
//
// All ranks of c must call it, in the same order as their other collectives.
// The new Comm's collectives and loops take these ranks alone, with its rank 0
// as the root and manager, and never meet those of c. Close ends it; c goes
// on. After an error c does not work any more.
//
// Info of the new Comm has its own Rank, Size and Peers; the rest is of the job.
// Ranks in errors of this package are those of the Comm, in errors of package
// ame those of the job.
func (c *Comm) Split(ctx context.Context, color, key int) (*Comm, error) {
	if err := c.idle("split"); err != nil {
		return nil, err
	}
	backend, err := c.ame.Split(ctx, color, key)
	if err != nil || backend == nil {
		return nil, err
	}
	return c.derived(backend), nil
}

// SplitNode is Split by node: each rank gets a Comm of those ranks of c that run
// on its node, in the order of their ranks in c. Ranks are on one node if they
// run on one kernel in the same namespaces, so two containers of a machine
// count as two. A rank whose node is not known is alone.
func (c *Comm) SplitNode(ctx context.Context) (*Comm, error) {
	if err := c.idle("split by node"); err != nil {
		return nil, err
	}
	backend, err := c.ame.SplitNode(ctx)
	if err != nil {
		return nil, err
	}
	return c.derived(backend), nil
}

// Shrink returns a Comm of those ranks of c that are not lost, in the order of
// their ranks in c, on which everything works. Each of them must call it, once;
// those that have closed c, or have ended, take no part. It waits for all
// others, and says on stderr of the job's rank 0 for which, after 10 s and ever
// longer times. Rank 0 of the job decides who is left; its loss ends the job.
//
// The first call ends c on all ranks: what waits there, in whatever call, and
// every later call but Shrink and Close get an ErrLost, also if nobody is lost. A
// loop that is under way ends first. So a program can call it wherever a call has
// ended with ErrLost, even if other ranks are in another one. A rank that is lost
// before Shrink returns is left out; one that is lost later makes calls on the
// new Comm fail, which can be shrunk in turn. When ctx ends before Shrink returns,
// the job fails on all ranks.
//
// What a lost rank had is gone. The pattern is: find out what is missing, loop
// over that, gather; on ErrLost shrink, and do it again. See examples/shrink.
func (c *Comm) Shrink(ctx context.Context) (*Comm, error) {
	if err := c.idle("shrink"); err != nil {
		return nil, err
	}
	backend, err := c.ame.Shrink(ctx)
	if err != nil {
		return nil, err
	}
	return c.derived(backend), nil
}

// Translate returns the rank in other of the process that has a rank in c, ok ==
// false if it is not in other, or c has no such rank. Both belong to one job.
// It is not collective and sends nothing.
func (c *Comm) Translate(rank int, other *Comm) (in int, ok bool) {
	if rank < 0 || rank >= c.Size() {
		return 0, false
	}
	return other.ame.RankOf(c.ame.JobRank(rank))
}
