package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
		Host:      nodeName(client.Host()),
		LocalRank: client.LocalRank(),
		LocalSize: client.LocalSize(),
	}
	if err := meetByPMIx(ctx, env, client, world); err != nil {
		world.abandon()
		return nil, err
	}
	// Before anything else can happen to this process: from here on it may
	// end as it likes without the launcher calling it a crash.
	if err := client.Finalize(ctx); err != nil {
		world.Warnings = append(world.Warnings, fmt.Sprintf("the launcher may take the end of this rank for a crash: %v", err))
	}
	return world, nil
}

// meetByPMIx fills in the world of this rank. Rank 0 makes it and puts the
// invitation, all enter the fence, the others get it. If rank 0 cannot listen,
// it puts that, so that all end with the reason and not by a timeout; the
// launcher hears of no crash then.
func meetByPMIx(ctx context.Context, env Env, client *pmix.Client, world *World) error {
	name := "pmix-" + client.Namespace()
	if world.Size == 1 {
		return world.found(env, name, true)
	}
	key, err := nextProgram(ctx, client)
	if err != nil {
		return err
	}
	var failure error
	if world.Rank == 0 {
		failure = world.found(env, name, world.LocalSize == world.Size)
		if err := client.Put(key, inviteOr(failure, world)); err != nil {
			return err
		}
	}
	if err := client.Commit(ctx); err != nil {
		return err
	}
	if err := client.Fence(ctx, true); err != nil {
		return adviseFence(env, err)
	}
	if world.Rank != 0 {
		text, err := client.Get(ctx, 0, key)
		if err != nil {
			return err
		}
		failure = world.accept(text)
	}
	if failure != nil {
		client.Finalize(ctx)
	}
	return failure
}

// adviseFence says what to do when not all ranks came to the fence in time.
// The servers of Slurm 22.05 now and then refuse each other's connections
// (docs/launchers.md), which looks like a missing rank from here.
func adviseFence(env Env, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := lookup(env, "SLURM_STEP_ID"); ok {
		return fmt.Errorf("%w: not all ranks came; if all have started, set SLURM_PMIX_DIRECT_CONN=false or use srun --mpi=none", err)
	}
	return fmt.Errorf("%w: not all ranks came; has every rank started, and this program on each?", err)
}
