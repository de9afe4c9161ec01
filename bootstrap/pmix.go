package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/pmix"
)

// pmixMethod is the method of launchers with a PMIx server: srun --mpi=pmix,
// mpiexec of Open MPI, prterun. Rank 0 gives its address and key to the
// server of its node, a fence carries them to all nodes.
type pmixMethod struct{}

func (pmixMethod) Name() string { return "pmix" }

func (pmixMethod) Detect(env Env) error {
	if err := outerStep(env); err != nil {
		return err
	}
	err := pmix.Available(nonempty(env))
	if errors.Is(err, pmix.ErrNotAvailable) {
		return notDetected(strings.TrimPrefix(err.Error(), pmix.ErrNotAvailable.Error()+": "))
	}
	return err
}

// outerStep notices variables that an srun --mpi=pmix around this step has
// left behind. Its server knows nothing of our ranks, several of which would
// claim to be the same one.
func outerStep(env Env) error {
	namespace := value(env, "PMIX_NAMESPACE")
	step, ok := lookup(env, "SLURM_STEP_ID")
	if !ok || !strings.HasPrefix(namespace, "slurm.pmix.") {
		return nil
	}
	if strings.HasSuffix(namespace, "."+step) {
		return nil
	}
	return notDetected(fmt.Sprintf("PMIX_NAMESPACE=%s was left behind by another step than ours, SLURM_STEP_ID=%s", namespace, step))
}

// pmixKey is what the invitation goes by.
const pmixKey = "dlp-go"

func (pmixMethod) Join(ctx context.Context, env Env) (*World, error) {
	client, err := pmix.Connect(ctx, nonempty(env))
	if err != nil {
		return nil, err
	}
	// Without Finalize the launcher takes this rank for crashed and ends the
	// job, which is right after an error: it cannot come up any more.
	defer client.Close()
	world := &World{
		Rank:      client.Rank(),
		Size:      client.Size(),
		Host:      client.Host(),
		LocalRank: client.LocalRank(),
		LocalSize: client.LocalSize(),
	}
	if world.Host == "" {
		world.Host = hostname()
	}
	name := "pmix-" + client.Namespace()
	if restart, ok := lookup(env, "SLURM_RESTART_COUNT"); ok {
		name += "-" + restart
	}
	if world.Rank != 0 {
		err = fetchInvitation(ctx, client, world)
	} else {
		err = putInvitation(ctx, env, client, world, name)
	}
	if err == nil {
		// Before anything else can happen to this process: from here on it may
		// end as it likes without the launcher calling it a crash.
		if err := client.Finalize(ctx); err != nil {
			world.Warnings = append(world.Warnings, fmt.Sprintf("the launcher may take the end of this rank for a crash: %v", err))
		}
		return world, nil
	}
	if world.Listener != nil {
		world.Listener.Close()
	}
	return nil, err
}

// putInvitation gives rank 0 its world and tells the others. If it cannot listen,
// it tells them that, so that they end with the reason and not by a timeout.
func putInvitation(ctx context.Context, env Env, client *pmix.Client, world *World, name string) error {
	failure := world.found(env, name, world.LocalSize == world.Size)
	if world.Size == 1 {
		return failure
	}
	text := inviteOr(failure, world)
	if err := client.Put(pmixKey, text); err != nil {
		return err
	}
	if err := client.Commit(ctx); err != nil {
		return err
	}
	if err := client.Fence(ctx, true); err != nil {
		return err
	}
	if failure != nil {
		client.Finalize(ctx) // the reason goes to the user, not to the launcher
	}
	return failure
}

// fetchInvitation gives another rank its world.
func fetchInvitation(ctx context.Context, client *pmix.Client, world *World) error {
	if err := client.Fence(ctx, true); err != nil {
		return err
	}
	text, err := client.Get(ctx, 0, pmixKey)
	if err != nil {
		return err
	}
	if err = world.accept(text); err != nil {
		client.Finalize(ctx)
	}
	return err
}
