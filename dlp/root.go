package dlp

import "fmt"

// RootOption changes which rank a collective is centred on; the default is
// rank 0. All ranks must pass the same, or all of them get an ErrMismatch.
type RootOption struct{ rank int }

// Root makes a rank of the Comm the root of a collective.
func Root(rank int) RootOption { return RootOption{rank} }

// rootOf returns the rank that the options name.
func (c *Comm) rootOf(op string, opts []RootOption) (int, error) {
	root := 0
	for _, o := range opts {
		root = o.rank
	}
	if root < 0 || root >= c.Size() {
		return 0, c.errorf(op, fmt.Errorf("no rank %d to be the root in a Comm of %d", root, c.Size()))
	}
	return root, nil
}
