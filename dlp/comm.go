package dlp

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/bootstrap"
)

// Comm is this process's place among the ranks of a job. The functions of
// this package that take a Comm are collective unless they say otherwise:
// all ranks call them, in the same order, one at a time.
type Comm struct {
	ame   *ame.Comm
	info  Info
	codec Codec
	root  bool // this is the one that Init returned, not a Dup

	unmark func() // ends what tells child processes that they are no ranks; nil where nothing does

	inside   atomic.Pointer[string] // the loop that this Comm is in
	loops    *loops
	stop     *stopWish // of the program
	outbox   outbox
	requests *requests
	behind   behind
	services *services

	// launcher opens a way to tell the launcher how far the job is; nil in Run.
	launcher func() (*bootstrap.Reporter, error)

	exit func(status int) // ends the process; nil in Run
}

// Rank returns this process's rank, 0 .. Size-1.
func (c *Comm) Rank() int { return c.ame.Rank() }

// Size returns the number of ranks.
func (c *Comm) Size() int { return c.ame.Size() }

// IsRoot says whether this is rank 0.
func (c *Comm) IsRoot() bool { return c.ame.Rank() == 0 }

// Barrier returns on every rank after all ranks have called it.
func (c *Comm) Barrier(ctx context.Context) error {
	if err := c.idle("barrier"); err != nil {
		return err
	}
	return c.ame.Barrier(ctx)
}

// Dup returns a Comm of the same ranks whose collectives and loops never meet
// those of c, for a library or a second goroutine. It is collective.
func (c *Comm) Dup(ctx context.Context) (*Comm, error) {
	if err := c.idle("dup"); err != nil {
		return nil, err
	}
	backend, err := c.ame.Dup(ctx)
	if err != nil {
		return nil, err
	}
	return c.derived(backend), nil
}

// Close ends this rank's part in the job. Calls of other ranks that need it end
// with ErrLeft. On rank 0 it returns when all others but one have closed, or are lost,
// since what they send each other may go by way of it; nothing else makes it
// collective, and after 10 s a line on stderr names them. A rank 0 that ends for an
// error calls Abort first, as Main does, and waits for nobody; if a deferred Close runs because of a panic, it does that itself.
//
// On rank 0 Close first waits for the other ranks to come out of loops that rank 0
// left early. If such a loop has failed, by an error or a panic of its body, it
// waits for 5 s; then it ends the job as Abort does, with an error that says which
// ranks and items are left. Closing a Dup ends just that; it is an error if a rank is
// known to have dropped what was sent to it there after it had closed. A second Close
// does nothing.
// To close the Comm of Init while this rank is inside a loop ends the job.
//
// Requests of c, of the Comm of Init those of all Comms, that nobody has waited
// for are an error that names them, if the job was well up to here. So is a
// collective that another rank is in, or has sent its part of, and this one has
// never entered.
func (c *Comm) Close() error {
	if !c.root {
		return cmp.Or(c.ame.Close(), c.forgotten())
	}
	if c.loops.open.Load() > 0 {
		c.ame.Abort(errInside)
	}
	err := c.loops.wait(c.ame.Abort)
	if c.IsRoot() && c.Size() > 1 && unwinding() != returning {
		c.ame.Abort(unreturned("left the program"))
	}
	if c.unmark != nil {
		c.unmark()
	}
	if err != nil {
		err = c.errorf("close", err)
	}
	c.services.close()
	err = cmp.Or(err, c.ame.Close())
	c.requests.end()
	return cmp.Or(err, c.forgotten())
}

// Abort makes every waiting and every later call on all ranks fail with an
// error that is ErrAborted and names this rank and the cause, so that each of
// them can end. It returns when they have been told, after a second at the
// latest. It does not end the process: return the cause from main with a
// non-zero status, and the launcher ends the ranks that do not call.
func (c *Comm) Abort(cause error) {
	if cause != nil {
		cause = errors.New(oneLine(cause)) // the stack of a panic is printed once, not on each rank
	}
	c.ame.Abort(cause)
}
