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

// The invitation goes by pmixKey and the number of the program among those
// that the task has run one after another; each rank counts its own under
// pmixCounter. A number of its own for each keeps a rank from the invitation
// to the program before: servers are slow to replace a value.
const (
	pmixKey     = "dlp-go-"
	pmixCounter = "dlp-go-programs"
)

// nextProgram returns the key of this program and counts it.
func nextProgram(ctx context.Context, client *pmix.Client) (key string, err error) {
	text, err := client.Peek(ctx, client.Rank(), pmixCounter)
	if errors.Is(err, pmix.StatusNotFound) {
		text, err = "0", nil
	}
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return "", fmt.Errorf("%s=%q is not ours", pmixCounter, text)
	}
	return pmixKey + text, client.Put(pmixCounter, strconv.Itoa(n+1))
}

func (pmixMethod) join(ctx context.Context, env Env, tell func(string)) (*World, error) {
	client, err := pmix.Connect(ctx, environ.Nonempty(env))
	if err != nil {
		return nil, err
	}
	x := &pmixExchange{env: env, client: client}
	if client.Size() > 1 {
		if x.key, err = nextProgram(ctx, client); err != nil {
			client.Close()
			return nil, err
		}
	}
	world, err := meet(ctx, env, x, tell)
	if err == nil && x.unfinished != nil {
		world.Warnings = append(world.Warnings, fmt.Sprintf("the launcher may take the end of this rank for a crash: %v", x.unfinished))
	}
	return world, err
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
	return x.client.Get(ctx, 0, x.key)
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

// adviseFence says what to do when not all ranks came to the fence in time.
// The servers of Slurm 22.05 now and then refuse each other's connections
// (docs/launchers.md), which looks like a missing rank from here.
func adviseFence(env Env, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if environ.AnySet(env, "SLURM_STEP_ID") {
		return fmt.Errorf("%w: not all ranks came; if all have started, set SLURM_PMIX_DIRECT_CONN=false or use srun --mpi=none", err)
	}
	return fmt.Errorf("%w: not all ranks came; has every rank started, and this program on each?", err)
}
