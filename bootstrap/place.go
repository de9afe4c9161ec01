package bootstrap

import (
	"fmt"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// Place is where this process is in its job, as the launcher tells it.
type Place struct {
	Rank int    // 0 .. Size-1
	Size int    // number of ranks of the job
	Host string // name of this node as the launcher knows it

	// -1 where the launcher does not tell.
	LocalRank int // rank among the ranks of this node
	LocalSize int // number of ranks on this node

	// App is the number of the application that this rank is of, as launchers
	// count the parts of a command line such as mpiexec -n 1 a : -n 2 b; the same
	// number on all ranks where the launcher does not count.
	App int
}

// oneNode says whether all ranks are known to be on this node.
func (p Place) oneNode() bool { return p.LocalSize == p.Size }

func (p Place) check() error {
	if p.Size < 1 || p.Rank < 0 || p.Rank >= p.Size {
		return fmt.Errorf("the launcher says rank %d of %d ranks", p.Rank, p.Size)
	}
	return nil
}

// nodeName is the name of this node as the launcher told it, if it did.
func nodeName(told string) string {
	if told == "" {
		return environ.Hostname()
	}
	return told
}
