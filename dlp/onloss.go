package dlp

import "github.com/dlp-mpi/dlp-go/dlp/internal/loop"

// LossPolicy says what a managed loop does about the items of a rank that is
// lost while it is in the loop: in MapUnordered those that it has not finished,
// in SplitManaged those that it has finished as well, since what it keeps of them
// is lost with it.
type LossPolicy int

const (
	// Reassign gives the items to other ranks, to rank 0 only if that works
	// anyway. So an item may be worked on twice, but rank 0 gets one result of
	// it. Of those that the rank was given and had not finished, each may be why
	// it was lost: they go to one more rank, one by one. An item that two ranks
	// were lost with is not tried again and counts as failed, with an
	// *ItemError that says so. With no rank left that could go on, the loop ends
	// with an ErrLost that names the items which are not done.
	//
	// MapUnordered ends without an error if all results were delivered.
	// SplitManaged, when all items are done, ends on each rank that is left with
	// an ErrLost that says so: a Gather behind it would fail.
	Reassign = LossPolicy(loop.Reassign)

	// Fail hands out no new items and ends the loop, when ranks are done with
	// those that they have been given, with an ErrLost that names the items of
	// the lost rank: for what must not be done twice.
	Fail = LossPolicy(loop.FailLoop)

	// Skip leaves the items out, does all others, and then ends the loop with
	// an ErrLost that names those.
	Skip = LossPolicy(loop.Skip)
)

// OnLoss sets what a managed loop does when a rank is lost. The default is
// Reassign. What rank 0 of the Comm passes counts. When that rank itself is lost,
// the loop ends with an ErrLost on all others.
//
// In a sequence (MapUnorderedSeq, SplitManagedSeq) no rank can go back: items
// that all others have passed are not done, and the loop ends with an ErrLost
// that names them.
//
// After a loss the collectives and further loops of the Comm, and of every other
// one that the rank is in, fail with an ErrLost that names it. Shrink makes a Comm
// of the others.
func OnLoss(p LossPolicy) LoopOption { return loopOption(func(o *loopOptions) { o.onLoss = p }) }

// Lost returns the ranks of c that are lost, in ascending order: those that have
// gone without Close. It is not collective, and a rank may hear of a loss later
// than another one.
func (c *Comm) Lost() []int { return c.ame.Lost() }
