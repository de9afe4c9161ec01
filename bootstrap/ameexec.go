package bootstrap

import (
	"context"
	"net"

	"github.com/dlp-mpi/dlp-go/internal/control"
)

// ameexecExchange is the control channel of our own launcher.
type ameexecExchange struct {
	at        Place
	session   *control.Client
	addresses []string // of rank 0, for ameexec's own log
}

// joinAmeexec is the method ame where ameexec is the launcher. The session lasts
// until Release: ameexec tells there if a rank will never be connected.
func joinAmeexec(ctx context.Context, env Env, rank, size int) (*World, error) {
	session, err := control.Join(ctx, env, rank, size)
	if err != nil {
		return nil, err
	}
	at := Place{Rank: rank, Size: size, Host: session.Host, LocalRank: session.LocalRank, LocalSize: session.LocalSize, App: session.App}
	world, err := meet(ctx, env, &ameexecExchange{at: at, session: session}, nil)
	if err == nil {
		world.doomed = session.Doomed()
		world.release = func(failure error) error { return session.Close(failure == nil) }
	}
	if err == nil {
		world.report = func() (*Reporter, error) { return control.Report(context.Background(), env, rank) }
	}
	return world, err
}

func (x *ameexecExchange) place() Place  { return x.at }
func (x *ameexecExchange) lasting() bool { return false }

// host takes the job's name from ameexec: it is the same on all ranks, and
// another one for each program of a task.
func (x *ameexecExchange) host(env Env) (Endpoint, net.Listener, error) {
	root, listener, err := host(env, x.at, x.session.Job)
	x.addresses = root.Addresses
	return root, listener, err
}

func (x *ameexecExchange) publish(ctx context.Context, text string) error {
	return x.session.Publish(ctx, text, x.addresses)
}

func (x *ameexecExchange) fetch(ctx context.Context, _ string) (string, error) {
	return x.session.Fetch(ctx)
}

func (x *ameexecExchange) close(_ context.Context, failure error) error {
	if failure == nil {
		return nil // Release does
	}
	return x.session.Close(false)
}
