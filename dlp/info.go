package dlp

import (
	"slices"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/bootstrap"
)

// Info says how this process was started and whom it works with.
type Info struct {
	Rank, Size int
	Method     string // how the launcher was found: one of Methods
	Job        string // the same on all ranks and on no other job
	Host       string // name of this node

	// Place on this node; -1 where the launcher does not tell.
	LocalRank, LocalSize int

	// Addresses of rank 0 that its peers try, host:port. Nil if Size is 1.
	Addresses []string

	Peers    []Peer   // every rank, in rank order
	Methods  []Method // every way to find a launcher, in the order in which they are tried
	Promised int      // ranks that the environment announces, if more than Size; else 0
	Warnings []string // what looks wrong with how the job was started
}

// Peer is what is known of one rank.
type Peer struct {
	Host string // name of its node
	PID  int    // of its process
}

// Method is the verdict on one way to find out who started this process.
type Method struct {
	Name      string
	Available bool   // it has found its launcher
	Chosen    bool   // it is the first that is available
	Reason    string // for the verdict; never empty
}

// Info returns how this process was started and whom it works with. The
// slices are the caller's.
func (c *Comm) Info() Info {
	info := c.info
	info.Addresses = slices.Clone(info.Addresses)
	info.Peers = slices.Clone(info.Peers)
	info.Methods = slices.Clone(info.Methods)
	info.Warnings = slices.Clone(info.Warnings)
	return info
}

// host returns the name of the node of a rank.
func (c *Comm) host(rank int) string { return c.info.Peers[rank].Host }

func peersOf(backend *ame.Comm) []Peer {
	var peers []Peer
	for _, p := range backend.Peers() {
		peers = append(peers, Peer{Host: p.Host, PID: p.PID})
	}
	return peers
}

func methodsOf(report *bootstrap.Report) []Method {
	var methods []Method
	for _, e := range report.Entries {
		methods = append(methods, Method{
			Name: e.Method, Available: e.State != bootstrap.NotAvailable, Chosen: e.State == bootstrap.Chosen, Reason: e.Reason,
		})
	}
	return methods
}
