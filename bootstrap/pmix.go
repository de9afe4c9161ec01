package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/pmix"
)

// pmixMethod is the method of launchers with a PMIx server: srun --mpi=pmix,
// mpiexec of Open MPI, prterun. Rank 0 gives its address and key to the
// server of its node, a fence carries them to all nodes.
type pmixMethod struct{}

func (pmixMethod) name() string { return "pmix" }

func (pmixMethod) detect(env Env) error {
	if why, ok := nesting.LeftOver(env, nesting.PMIx); ok {
		return notDetected(why)
	}
	err := pmix.Available(environ.Nonempty(env))
	if errors.Is(err, pmix.ErrNotAvailable) {
		return notDetected(strings.TrimPrefix(err.Error(), pmix.ErrNotAvailable.Error()+": "))
	}
	return err
}

func (m pmixMethod) join(ctx context.Context, env Env, tell func(string)) (*World, error) {
	release, err := holdRank(env)
	if err != nil {
		return nil, err
	}
	world, err := m.meet(ctx, env, tell)
	if err != nil {
		release()
		return nil, err
	}
	world.letGo = release
	return world, nil
}

func (pmixMethod) meet(ctx context.Context, env Env, tell func(string)) (*World, error) {
	client, err := pmix.Connect(ctx, environ.Nonempty(env))
	switch {
	case errors.Is(err, context.DeadlineExceeded) && fencesOnce(env): // it may not even answer
		return nil, adviseFile(env, err)
	case err != nil:
		return nil, adviseScript(env, err)
	}
	x := &pmixExchange{env: env, client: client}
	if client.Size() > 1 {
		number, err := nextProgram(ctx, client)
		if err == nil && number > 0 && fencesOnce(env) {
			return joinAgain(ctx, env, client, number, tell)
		}
		if err != nil {
			client.Close()
			return nil, err
		}
		x.key = pmixKey + strconv.Itoa(number)
	}
	world, err := meet(ctx, env, x, tell)
	if err == nil && x.unfinished != nil {
		world.Warnings = append(world.Warnings, fmt.Sprintf("the launcher may take the end of this rank for a crash: %v", x.unfinished))
	}
	return world, adviseScript(env, err)
}

// pmixExchange is a PMIx server.
type pmixExchange struct {
	env        Env
	client     *pmix.Client
	key        string // of this program's text
	unfinished error  // why the launcher may not know that this rank is done with PMIx
}

func (x *pmixExchange) place() Place {
	return Place{
		Rank:      x.client.Rank(),
		Size:      x.client.Size(),
		Host:      nodeName(x.client.Host()),
		LocalRank: x.client.LocalRank(),
		LocalSize: x.client.LocalSize(),
		App:       openMPIApp(x.env, x.client.Rank()),
	}
}

func (x *pmixExchange) lasting() bool { return false }

func (x *pmixExchange) host(env Env) (Endpoint, net.Listener, error) {
	job, err := jobName(env, "pmix-"+x.client.Namespace())
	if err != nil {
		return Endpoint{}, nil, err
	}
	return host(env, x.place(), job)
}

func (x *pmixExchange) publish(ctx context.Context, text string) error {
	if err := x.client.Put(x.key, text); err != nil {
		return err
	}
	return x.fence(ctx)
}

func (x *pmixExchange) fetch(ctx context.Context, _ string) (string, error) {
	if err := x.fence(ctx); err != nil {
		return "", err
	}
	return unfenced(ctx, func() (string, error) { return x.client.Get(ctx, 0, x.key) })
}

// fence carries what all ranks have put to all nodes.
func (x *pmixExchange) fence(ctx context.Context) error {
	if err := x.client.Commit(ctx); err != nil {
		return err
	}
	return adviseFence(x.env, x.client.Fence(ctx, true))
}

// close finalizes before anything else can happen to this process: from here on
// it may end as it likes without the launcher calling it a crash. After an error
// of the exchange itself the job cannot come up any more, and a crash is what
// ends it; a rank 0 that has told why it cannot take part does not crash.
func (x *pmixExchange) close(ctx context.Context, failure error) error {
	var broken *pmix.Error
	if !errors.As(failure, &broken) {
		x.unfinished = x.client.Finalize(ctx)
	}
	return x.client.Close()
}
