package dlp

import (
	"fmt"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Why a call could not do its work, for errors.Is. An error keeps these, and
// the *ItemError of an item, on every rank that it reaches. So do, where they
// end a loop or the function of CallOnRoot, context.Canceled,
// context.DeadlineExceeded, fs.ErrExist, fs.ErrNotExist and fs.ErrPermission.
// Of everything else another rank gets the text alone.
var (
	ErrClosed   = ame.ErrClosed   // this Comm was closed
	ErrLost     = ame.ErrLost     // a rank has gone without Close
	ErrLeft     = ame.ErrLeft     // a rank that is waited for has closed its Comm
	ErrAborted  = ame.ErrAborted  // a rank has called Abort
	ErrMismatch = ame.ErrMismatch // ranks are in different collectives or loops
	ErrTimeout  = ame.ErrTimeout  // ranks did not come within AME_TIMEOUT
)

// Error says which call of this package could not do its work, and where.
type Error struct {
	Op   string // "bcast", "gather", "split", "map", ...
	Rank int    // who reports; -1 if it has no Comm
	Err  error
}

func (e *Error) Error() string {
	if e.Rank < 0 {
		return fmt.Sprintf("dlp: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("dlp: %s: rank %d: %v", e.Op, e.Rank, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

func (c *Comm) errorf(op string, err error) error {
	return &Error{Op: op, Rank: c.Rank(), Err: err}
}

// fromRank adds to the error of a value whose it was.
func (c *Comm) fromRank(rank int, err error) error {
	return fmt.Errorf("rank %d on %s: %w", rank, c.host(rank), err)
}

// ItemError says on which item work has failed, and where.
type ItemError struct {
	Index int
	Rank  int
	Host  string
	Err   error  // what work has returned
	Stack []byte // if work has panicked; on rank 0 alone, so that it is printed once
}

func (e *ItemError) Error() string {
	text := fmt.Sprintf("item %d on rank %d (%s): %v", e.Index, e.Rank, e.Host, e.Err)
	if e.Stack != nil {
		text += "\n" + string(e.Stack)
	}
	return text
}

func (e *ItemError) Unwrap() error { return e.Err }
