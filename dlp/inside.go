package dlp

import (
	"errors"
	"fmt"
)

// errInside ends a job whose Comm was closed in the middle of a loop.
var errInside = errors.New("closed its Comm inside a loop, on which the other ranks wait")

// enter notes that c is in op until leave is called.
func (c *Comm) enter(op string) (leave func(), err error) {
	if err := c.idle(op); err != nil {
		return nil, err
	}
	for !c.inside.CompareAndSwap(nil, &op) {
		if err := c.idle(op); err != nil {
			return nil, err
		}
	}
	c.loops.open.Add(1)
	return func() {
		c.inside.Store(nil)
		c.loops.open.Add(-1)
	}, nil
}

// idle returns an error if c is nil, or inside a loop, where the ranks have different
// items to work on and would never meet in op. It also holds for a job of one
// rank, so that a program that works there works on many.
func (c *Comm) idle(op string) error {
	if c == nil {
		return &Error{Op: op, Rank: -1, Err: errNoComm}
	}
	if in := c.inside.Load(); in != nil {
		return c.errorf(op, fmt.Errorf("this Comm is inside a %s, where not all ranks would come to a %s: put it before or behind; a second goroutine needs a Comm of its own (Dup)", *in, op))
	}
	return nil
}
