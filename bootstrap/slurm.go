package bootstrap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"slices"

	"github.com/dlp-mpi/dlp-go/bootstrap/internal/stepmeet"
	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/secret"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// slurmMethod is the method of srun with any --mpi, none included. Slurm tells
// every task who it is and offers no channel to say where rank 0 listens, so
// the ranks look for it, see package stepmeet.
type slurmMethod struct{}

func (slurmMethod) name() string { return "slurm" }

func (slurmMethod) detect(env Env) error {
	_, err := slurm.StepFromEnv(env)
	if errors.Is(err, slurm.ErrNoStep) {
		return notDetected(err.Error())
	}
	return err
}

func (slurmMethod) join(ctx context.Context, env Env, tell func(string)) (*World, error) {
	step, err := slurm.StepFromEnv(env)
	if err != nil {
		return nil, err
	}
	at := placeInStep(step)
	if environ.AnySet(env, "AME_RENDEZVOUS_DIR") {
		// For steps without munged and without a home directory that all nodes
		// see, or whose ports others have.
		return meetByFile(ctx, env, fileJob{at: at, name: step.Name()}, tell)
	}
	x := &slurmExchange{at: at, step: step, tell: tell}
	if at.Size > 1 {
		if x.member, err = stepmeet.New(ctx, env, step, at.Host); err != nil {
			return nil, err
		}
	}
	world, err := meet(ctx, env, x, tell)
	if err == nil {
		world.Root.Addresses = x.foundFirst(world.Root.Addresses)
	}
	if err == nil && x.server != nil {
		world.refused, world.doomed = x.server.Refused, x.server.Doomed()
	}
	if err == nil && x.warning != "" {
		world.Warnings = append(world.Warnings, x.warning)
	}
	return world, err
}

func placeInStep(step *slurm.Step) Place {
	return Place{Rank: step.Rank, Size: step.Size, Host: nodeName(step.Node), LocalRank: step.LocalRank, LocalSize: step.LocalSize}
}

// slurmExchange is rank 0's own listener, which answers the ranks that look for
// it before it lets anybody else in.
type slurmExchange struct {
	at      Place
	step    *slurm.Step
	member  *stepmeet.Member // nil if Size is 1
	server  *stepmeet.Server // of rank 0
	found   string           // at which address another rank has found rank 0
	warning string
	tell    func(string)
}

func (x *slurmExchange) place() Place { return x.at }

// lasting: rank 0 answers until all ranks have joined; no rank finds what is stale.
func (x *slurmExchange) lasting() bool { return x.at.Rank == 0 }

// host names one run of a program. A step can be more than one, one after
// another, hence the random part.
func (x *slurmExchange) host(env Env) (Endpoint, net.Listener, error) {
	name, err := UserJob(env)
	if err != nil {
		return Endpoint{}, nil, err
	}
	if name == "" {
		name = x.step.Name()
	}
	var run [4]byte
	rand.Read(run[:])
	job := name[:min(len(name), maxJob)] + "-" + hex.EncodeToString(run[:])
	if x.at.Size == 1 {
		return Endpoint{Job: job, Host: x.at.Host}, nil, nil
	}
	var addresses []string
	if x.server, addresses, err = x.member.Listen(x.tell); err != nil {
		return Endpoint{}, nil, err
	}
	x.warning = x.member.Warning()
	root := Endpoint{Job: job, Key: secret.New(), Host: x.at.Host, Addresses: addresses}
	return fit(root, x.at.Size), x.server, nil
}

// fit leaves a node with very many addresses only as many as its invitation
// can carry.
func fit(root Endpoint, size int) Endpoint {
	for len(root.Addresses) > 1 && len(invite(root, size)) > stepmeet.MaxText {
		root.Addresses = root.Addresses[:len(root.Addresses)-1]
	}
	return root
}

func (x *slurmExchange) publish(_ context.Context, text string) error { return x.server.Offer(text) }

func (x *slurmExchange) fetch(ctx context.Context, _ string) (string, error) {
	found, err := x.member.Search(ctx)
	x.found, x.warning = found.Address, found.Warning
	return found.Text, err
}

// foundFirst puts the address that is known to work in front.
func (x *slurmExchange) foundFirst(addresses []string) []string {
	if x.found == "" {
		return addresses
	}
	return slices.Insert(slices.DeleteFunc(addresses, func(a string) bool { return a == x.found }), 0, x.found)
}

func (x *slurmExchange) close(context.Context, error) error {
	if x.server != nil {
		x.server.Complete()
	}
	return nil
}
