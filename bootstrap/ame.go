package bootstrap

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// ameMethod is the method of our own launcher, ameexec, and of launchers that
// users write themselves: both set AME_RANK and AME_SIZE. ameexec also leaves
// a control descriptor, over which everything else travels; by hand it is in
// further variables.
type ameMethod struct{}

func (ameMethod) Name() string { return "ame" }

func (ameMethod) Detect(env Env) error {
	if !anySet(env, "AME_RANK", "AME_SIZE", controlVariable) {
		return notDetected("neither AME_RANK nor AME_SIZE is set")
	}
	if below, ok := launcherBelow(env); ok {
		return notDetected(fmt.Sprintf("the AME variables are left over from an ameexec further up: one of its ranks has started the launcher that has set %s", below))
	}
	_, size, err := rankAndSize(env, "AME_RANK", "AME_SIZE")
	if err != nil {
		return err
	}
	if anySet(env, controlVariable) {
		_, err = controlDescriptor(env)
		return err
	}
	if size == 1 {
		return nil
	}
	_, err = readRendezvous(env)
	return err
}

func (ameMethod) Join(ctx context.Context, env Env) (*World, error) {
	rank, size, err := rankAndSize(env, "AME_RANK", "AME_SIZE")
	if err != nil {
		return nil, err
	}
	if anySet(env, controlVariable) {
		return joinControl(ctx, env, rank, size)
	}
	return joinByHand(env, rank, size)
}

// Variables that launchers set for every rank, and that ameexec removes from
// the environment of its own (cmd/ameexec, foreign).
var (
	hydraVariables = []string{"HYDI_CONTROL_FD", "MPIR_CVAR_CH3_INTERFACE_HOSTNAME", "PMI_PORT"}
	otherVariables = []string{"PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "FLUX_TASK_RANK"}
)

// launcherBelow names a variable by which a launcher shows that a rank of
// ameexec has started it, and it this process: what ameexec removes and is
// here beside AME_CONTROL_FD is newer. The descriptor may still be open then,
// so that several ranks of the inner job would all pass for one of the outer.
func launcherBelow(env Env) (variable string, ok bool) {
	if !anySet(env, controlVariable) {
		return "", false
	}
	for _, variable := range slices.Concat(hydraVariables, otherVariables) {
		if anySet(env, variable) {
			return variable, true
		}
	}
	return "", false
}

// rendezvous is what a launcher other than ameexec sets on every rank.
type rendezvous struct {
	host string // how the others reach rank 0; need not be an address of its node
	port int
	key  Key
}

func readRendezvous(env Env) (rendezvous, error) {
	var r rendezvous
	var err error
	if r.port, err = intVariable(env, "AME_PORT", 1, 65535); err != nil {
		return r, fmt.Errorf("%w: it is the port of rank 0, the same on every rank; or start with ameexec", err)
	}
	text, ok := lookup(env, "AME_AUTHKEY")
	if !ok {
		return r, errors.New("AME_AUTHKEY is not set: make one for the job and set it on every rank: export AME_AUTHKEY=$(head -c 32 /dev/urandom | base64)")
	}
	if r.key, err = ParseKey(text); err != nil {
		return r, fmt.Errorf("AME_AUTHKEY (%d characters, not shown): %w: make one: export AME_AUTHKEY=$(head -c 32 /dev/urandom | base64)", len(text), err)
	}
	if r.host, ok = lookup(env, "AME_HOST"); !ok {
		return r, errors.New("AME_HOST is not set: set it to the name or address of rank 0's node, on every rank")
	}
	r.host = unbracket(r.host)
	return r, nil
}

// unbracket takes the brackets off a literal IPv6 address.
func unbracket(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// joinByHand needs no channel: every rank was told the same. Rank 0 binds
// exactly the agreed port; the others connect to it whenever it comes up.
func joinByHand(env Env, rank, size int) (*World, error) {
	job, err := UserJob(env)
	if err != nil {
		return nil, err
	}
	world := &World{Rank: rank, Size: size, Job: job, Host: hostname(), LocalRank: -1, LocalSize: -1}
	if size == 1 {
		if job == "" {
			world.Job = NewJob("ame")
		}
		world.LocalRank, world.LocalSize = 0, 1
		return world, nil
	}
	r, err := readRendezvous(env)
	if err != nil {
		return nil, err
	}
	world.Key = r.key
	world.Root, world.RootHost = []string{hostPort(r.host, r.port)}, r.host
	if job == "" {
		world.Job = agreedJob(r)
	}
	if rank == 0 {
		agreed := ports{fmt.Sprintf("AME_PORT=%d", r.port), []int{r.port}}
		if world.Listener, _, err = listen(env, false, agreed); err != nil {
			return nil, err
		}
	}
	return world, nil
}

// agreedJob derives a job id from what all ranks were told. It gives the key
// away no more than a handshake does. The size is not in it, so that the
// handshake, which compares it, can say how the ranks differ.
func agreedJob(r rendezvous) string {
	mac := hmac.New(sha256.New, r.key.Bytes())
	fmt.Fprintf(mac, "dlp-go job id: port %d", r.port)
	return "ame-" + hex.EncodeToString(mac.Sum(nil)[:8])
}
