package bootstrap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// slurmMethod is the method of srun with any --mpi, none included. Slurm tells
// every task who it is and offers no channel to say where rank 0 listens, so
// rank 0 binds one of a few ports that all ranks can work out (slurmports.go),
// the others look for it there (slurmsearch.go), and both prove to belong to
// the same user and step before the job's key is handed over (slurmproof.go,
// slurmwire.go).
type slurmMethod struct {
	resolve  func(ctx context.Context, host string) ([]netip.Addr, error)
	patience time.Duration // with a rank 0 of our step that refuses us
}

func newSlurmMethod() slurmMethod {
	lookup := func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	return slurmMethod{resolve: lookup, patience: 5 * time.Second}
}

func (slurmMethod) Name() string { return "slurm" }

func (slurmMethod) Detect(env Env) error {
	_, err := slurm.StepFromEnv(slurm.Lookup(env))
	if errors.Is(err, slurm.ErrNoStep) {
		return notDetected(err.Error())
	}
	return err
}

func (m slurmMethod) Join(ctx context.Context, env Env) (*World, error) {
	step, err := slurm.StepFromEnv(slurm.Lookup(env))
	if err != nil {
		return nil, err
	}
	job, err := slurmJob(env, step)
	if err != nil {
		return nil, err
	}
	world := &World{
		Rank: step.Rank, Size: step.Size, Job: job, Host: nodeName(step.Node),
		LocalRank: step.LocalRank, LocalSize: step.LocalSize,
	}
	if step.Size == 1 {
		return world, nil
	}
	if anySet(env, "AME_RENDEZVOUS_DIR") {
		if err := joinStepByFile(ctx, env, step, world); err != nil {
			return nil, err
		}
		return world, nil
	}
	member, err := newSlurmMember(ctx, env, step, world.Host)
	if err != nil {
		return nil, err
	}
	if step.Rank == 0 {
		err = member.serve(env, world)
	} else {
		err = member.search(ctx, env, m, world)
	}
	if err != nil {
		return nil, err
	}
	return world, nil
}

// joinStepByFile is for steps without munged and without a home directory
// that all nodes see, or whose agreed ports others have: the user names a
// directory, and that is all the ranks need.
func joinStepByFile(ctx context.Context, env Env, step *slurm.Step, world *World) error {
	dir, err := rendezvousDirectory(env, world.LocalSize == world.Size)
	if err != nil {
		return err
	}
	file, err := newRendezvousFile(env, dir, step.Name(), "")
	if err != nil {
		return err
	}
	return meetByFile(ctx, env, world, step.Name(), file)
}

// slurmJob names one run of a program. A step can be more than one, one after
// another, hence the random part; rank 0 tells the others its own.
func slurmJob(env Env, step *slurm.Step) (string, error) {
	name, err := UserJob(env)
	if name == "" {
		name = step.Name()
	}
	var run [4]byte
	rand.Read(run[:])
	return name[:min(len(name), maxJob)] + "-" + hex.EncodeToString(run[:]), err
}

// slurmMember is what a rank needs for the rendezvous, on either side.
type slurmMember struct {
	step     *slurm.Step
	node     string
	proofs   *slurmProofs
	ports    ports
	instance [slurmInstanceSize]byte // tells this process from another one of its rank
}

func newSlurmMember(ctx context.Context, env Env, step *slurm.Step, node string) (*slurmMember, error) {
	m := &slurmMember{step: step, node: node}
	rand.Read(m.instance[:])
	var err error
	if m.ports, err = slurmPorts(env, step); err != nil {
		return nil, err
	}
	m.proofs, err = newSlurmProofs(ctx, env, node)
	return m, err
}

// oneNode says whether all ranks are on this node.
func (m *slurmMember) oneNode() bool { return m.step.LocalSize == m.step.Size }

// serve makes this process rank 0: it listens, and answers the other ranks
// until World.Listener is closed.
func (m *slurmMember) serve(env Env, world *World) error {
	listener, root, err := listen(env, m.oneNode(), m.ports)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: other programs have them all; AME_PORT_RANGE=20000-20100 makes every rank use other ports", err)
	}
	if err != nil {
		return err
	}
	world.Key, world.Root, world.RootHost = NewKey(), root, world.Host
	invitation, err := slurmInvitation(*world)
	if err != nil {
		listener.Close()
		return err
	}
	if warning := m.proofs.warning(); warning != "" {
		world.Warnings = append(world.Warnings, warning)
	}
	server := newSlurmServer(listener, m, invitation)
	world.Listener = server
	world.release = server.Close
	return nil
}

// slurmInvitation is the text that the others get from rank 0. Of a node with
// very many addresses it has only as many as fit a MUNGE credential.
func slurmInvitation(world World) ([]byte, error) {
	for {
		text := invite(&world)
		if len(text) <= maxSlurmGrant {
			return []byte(text), nil
		}
		if len(world.Root) == 1 {
			return nil, fmt.Errorf("invitation of %d bytes, at most %d can be sent", len(text), maxSlurmGrant)
		}
		world.Root = world.Root[:len(world.Root)-1]
	}
}
