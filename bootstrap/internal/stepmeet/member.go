// Package stepmeet is how the ranks of a Slurm step find rank 0 where nothing
// carries its address. Rank 0 binds one of a few ports that all ranks can work
// out (ports.go), the others look for it there (search.go), and both prove to
// belong to the same user and step (proof.go, keyfile.go) before rank 0 hands
// over its text (wire.go, server.go).
package stepmeet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/listen"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// Member is one rank of the step, on either side of the rendezvous.
type Member struct {
	env      environ.Env
	step     *slurm.Step
	node     string // name of this one, for messages
	prover   *prover
	ports    listen.Ports
	instance [instanceSize]byte // tells this process from another one of its rank

	unable   error // why this rank, which is not 0, can prove nothing
	resolve  func(ctx context.Context, host string) ([]netip.Addr, error)
	patience time.Duration // with a rank 0 of our step that refuses us
	farewell time.Duration // for which a rank that will not take part looks for rank 0 to say so
}

// New prepares this process. It finds out how to prove who it is, and may make
// a key file to that end. If it cannot, that is an error on rank 0; another rank
// has the error from Search, which tells rank 0 first.
func New(ctx context.Context, env environ.Env, step *slurm.Step, node string) (*Member, error) {
	m := &Member{env: env, step: step, node: node, patience: 5 * time.Second, farewell: 3 * time.Second}
	m.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	rand.Read(m.instance[:])
	var err error
	if m.ports, err = sequence(env, step); err != nil {
		return nil, err
	}
	if m.prover, err = newProver(ctx, env, node); err != nil && step.Rank != 0 && ctx.Err() == nil {
		m.prover, m.unable, err = &prover{node: node, noMunge: err}, err, nil
	}
	return m, err
}

// oneNode says whether all ranks are on this node.
func (m *Member) oneNode() bool { return m.step.LocalSize == m.step.Size }

// Listen opens the listener of rank 0, on a port where the others look for it,
// and returns its addresses. Ranks get no answer before Server.Offer. Of what a
// user should know at once, tell gets a line; it may be nil.
func (m *Member) Listen(tell func(string)) (*Server, []string, error) {
	listener, addresses, err := listen.Open(m.env, m.oneNode(), m.ports)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil, fmt.Errorf("%w: other programs have them all; AME_PORT_RANGE=20000-20100 makes every rank use other ports", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return newServer(listener, m, tell), addresses, nil
}

// Warning is for the user of a job that goes without proof, else "".
func (m *Member) Warning() string { return m.prover.warning() }
