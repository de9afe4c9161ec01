package bootstrap

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/pmi"
)

// pmiMethod is the method of launchers with a PMI-1 server: mpiexec of MPICH
// and its relatives, srun --mpi=pmi2, flux. Rank 0 listens and puts one record
// into the launcher's key-value space, all enter its barrier, the others get
// the record, and all finalize: a rank that ends early is then of no concern
// to the launcher.
type pmiMethod struct{}

// pmiKey is the key of rank 0's record.
const pmiKey = "dlp-root"

func (pmiMethod) Name() string { return "pmi" }

// Detect takes variables without a live connection for left over ones, unless
// hydra is the parent: then every rank would go on as a job of its own, or as
// what srun started hydra's proxies as.
func (pmiMethod) Detect(env Env) error {
	err := pmi.Detect(newestPMI(env))
	if errors.Is(err, pmi.ErrAbsent) || errors.Is(err, pmi.ErrStale) {
		return notDetected(saidOnce(err).Error())
	}
	if errors.Is(err, pmi.ErrLost) && !anySet(env, hydraVariables...) {
		if _, below := launcherBelow(env); below {
			return notDetected("the PMI variables are left over from an ameexec further up")
		}
	}
	if errors.Is(err, pmi.ErrLost) {
		err = fmt.Errorf("%w; if another launcher started it, name that one's method with AME_BOOTSTRAP", err)
	}
	return saidOnce(err)
}

// saidOnce drops the name of package pmi from the text of its error: it is the
// method's as well, which Find puts in front.
func saidOnce(err error) error {
	if err == nil {
		return nil
	}
	return pmiError{err}
}

type pmiError struct{ error }

func (e pmiError) Error() string { return strings.TrimPrefix(e.error.Error(), "pmi: ") }
func (e pmiError) Unwrap() error { return e.error }

// newestPMI hides the PMI_FD of an ameexec further up from a rank of
// mpiexec.hydra -pmi-port, which passes on variable and live descriptor.
func newestPMI(env Env) Env {
	if !anySet(env, controlVariable) || !anySet(env, "PMI_PORT") || !anySet(env, "PMI_ID") {
		return nonempty(env)
	}
	return func(name string) (string, bool) {
		if name == "PMI_FD" {
			return "", false
		}
		return lookup(env, name)
	}
}

// nonempty makes empty variables look unset.
func nonempty(env Env) Env {
	return func(name string) (string, bool) { return lookup(env, name) }
}

func (pmiMethod) Join(ctx context.Context, env Env) (*World, error) {
	client, err := pmi.Open(ctx, newestPMI(env))
	if err != nil {
		return nil, saidOnce(err)
	}
	world, err := joinPMI(ctx, env, client)
	if err == nil {
		err = client.Finalize(ctx)
	}
	if err := errors.Join(err, client.Close()); err != nil {
		if world != nil {
			world.abandon()
		}
		return nil, saidOnce(err)
	}
	return world, nil
}

func joinPMI(ctx context.Context, env Env, client *pmi.Client) (*World, error) {
	world := &World{Rank: client.Rank(), Size: client.Size(), Host: hostname()}
	oneNode, err := placePMI(ctx, env, client, world)
	if err != nil {
		return nil, err
	}
	if world.Rank == 0 {
		return world, rootPMI(ctx, env, client, world, oneNode)
	}
	if err := client.Barrier(ctx); err != nil {
		return nil, err
	}
	coded, err := client.GetLong(ctx, pmiKey)
	if errors.Is(err, pmi.ErrNoKey) {
		return nil, errors.New("rank 0 left no address; is it the same program, of the same version?")
	}
	if err != nil {
		return nil, err
	}
	text, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil, errors.New("what rank 0 published is no invitation; is it the same program, of the same version?")
	}
	return world, world.accept(string(text))
}

// rootPMI listens and publishes where, in base64, because launchers cut
// values at spaces and some characters. If it cannot listen, it tells the
// others so before it gives up.
func rootPMI(ctx context.Context, env Env, client *pmi.Client, world *World, oneNode bool) error {
	failure := world.found(env, "pmi", oneNode)
	if world.Size == 1 {
		return failure
	}
	text := inviteOr(failure, world)
	err := client.PutLong(ctx, pmiKey, base64.StdEncoding.EncodeToString([]byte(text)))
	if err == nil {
		err = client.Barrier(ctx)
	}
	return errors.Join(failure, err)
}

// placePMI learns from the launcher's process mapping where this rank runs,
// and whether all ranks run on one node. Launchers may be without a mapping
// that can be read; hydra has variables that say the same about its own node.
func placePMI(ctx context.Context, env Env, client *pmi.Client, world *World) (oneNode bool, err error) {
	mapping, err := client.Mapping(ctx)
	var broken *pmi.Error
	if errors.As(err, &broken) && !errors.Is(err, pmi.ErrNoKey) {
		return false, err
	}
	if err == nil {
		var place pmi.Place
		if place, err = mapping.Place(world.Rank, world.Size); err == nil {
			world.LocalRank, world.LocalSize = place.LocalRank, place.LocalSize
			return place.Nodes == 1, nil
		}
	}
	if world.Size == 1 {
		world.LocalRank, world.LocalSize = 0, 1
		return true, nil
	}
	world.LocalRank, world.LocalSize = -1, -1
	size, err := intVariable(env, "MPI_LOCALNRANKS", 1, world.Size)
	if err != nil {
		return false, nil
	}
	if rank, err := intVariable(env, "MPI_LOCALRANKID", 0, size-1); err == nil {
		world.LocalRank, world.LocalSize = rank, size
	}
	return size == world.Size, nil
}
