package bootstrap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/listen"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/internal/secret"
)

// ameMethod is the method of our own launcher, ameexec, and of launchers that
// users write themselves: both set AME_RANK and AME_SIZE. ameexec also leaves
// a control descriptor (ameexec.go), by hand all is in further variables.
type ameMethod struct{}

func (ameMethod) name() string { return methodAme }

func (ameMethod) detect(env Env) error {
	if !environ.AnySet(env, "AME_RANK", "AME_SIZE", control.Variable) {
		return notDetected("neither AME_RANK nor AME_SIZE is set")
	}
	if why, ok := nesting.LeftOver(env, nesting.AME); ok {
		return notDetected(why)
	}
	if hasRank, hasSize := environ.AnySet(env, "AME_RANK"), environ.AnySet(env, "AME_SIZE"); hasRank != hasSize {
		return loneVariable(hasRank)
	}
	_, size, err := environ.RankAndSize(env, "AME_RANK", "AME_SIZE")
	if err != nil {
		return err
	}
	if environ.AnySet(env, control.Variable) {
		_, err = control.Descriptor(env)
		return err
	}
	if size == 1 {
		return nil
	}
	_, _, err = readEndpoint(env)
	return err
}

// loneVariable is about one of two variables that only make sense together.
func loneVariable(hasRank bool) error {
	set, unset := "AME_SIZE", "AME_RANK"
	if hasRank {
		set, unset = unset, set
	}
	return fmt.Errorf("%s is not set, but %s is: who starts ranks by hand sets both on each of them; unset %s if it is left over", unset, set, set)
}

func (ameMethod) join(ctx context.Context, env Env, tell func(string)) (*World, error) {
	rank, size, err := environ.RankAndSize(env, "AME_RANK", "AME_SIZE")
	if err != nil {
		return nil, err
	}
	if environ.AnySet(env, control.Variable) {
		return joinAmeexec(ctx, env, rank, size)
	}
	x := handExchange{at: Place{Rank: rank, Size: size, Host: environ.Hostname(), LocalRank: -1, LocalSize: -1}}
	if size == 1 {
		x.at.LocalRank, x.at.LocalSize = 0, 1
	} else if x.root, x.port, err = readEndpoint(env); err != nil {
		return nil, err
	}
	return meet(ctx, env, x, tell)
}

// handExchange needs no channel: every rank was told the same. Rank 0 binds
// exactly the agreed port; the others connect to it whenever it comes up.
type handExchange struct {
	at   Place
	root Endpoint
	port int
}

func (x handExchange) place() Place                          { return x.at }
func (x handExchange) lasting() bool                         { return false }
func (x handExchange) publish(context.Context, string) error { return nil }
func (x handExchange) close(context.Context, error) error    { return nil }

func (x handExchange) fetch(context.Context, string) (string, error) {
	return invite(x.root, x.at.Size), nil
}

func (x handExchange) host(env Env) (Endpoint, net.Listener, error) {
	if x.at.Size == 1 {
		job, err := jobName(env, "ame")
		return Endpoint{Job: job, Host: x.at.Host}, nil, err
	}
	agreed := listen.Ports{Origin: fmt.Sprintf("AME_PORT=%d", x.port), List: []int{x.port}}
	listener, _, err := listen.Open(env, false, agreed)
	return x.root, listener, err
}

// readEndpoint reads what a launcher other than ameexec sets on every rank.
// Its host is how the others reach rank 0; it need not be an address of its
// node.
func readEndpoint(env Env) (root Endpoint, port int, err error) {
	const advice = "make one for the job and set it on every rank: export AME_AUTHKEY=$(head -c 32 /dev/urandom | base64)"
	if port, err = environ.Int(env, "AME_PORT", 1, 65535); err != nil {
		return root, 0, fmt.Errorf("%w: it is the port of rank 0, the same on every rank; or start with ameexec", err)
	}
	text, ok := environ.Lookup(env, "AME_AUTHKEY")
	if !ok {
		return root, 0, errors.New("AME_AUTHKEY is not set: " + advice)
	}
	if root.Key, err = secret.Parse(text); err != nil {
		return root, 0, fmt.Errorf("AME_AUTHKEY (%d characters, not shown): %w: %s", len(text), err, advice)
	}
	if root.Host, ok = environ.Lookup(env, "AME_HOST"); !ok {
		return root, 0, errors.New("AME_HOST is not set: set it to the name or address of rank 0's node, on every rank")
	}
	root.Host = unbracket(root.Host)
	root.Addresses = []string{listen.HostPort(root.Host, port)}
	if root.Job, err = UserJob(env); root.Job == "" {
		root.Job = agreedJob(root.Key, port)
	}
	return root, port, err
}

// unbracket takes the brackets off a literal IPv6 address.
func unbracket(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// agreedJob derives a job id from what all ranks were told. It gives the key
// away no more than a handshake does. The size is not in it, so that the
// handshake, which compares it, can say how the ranks differ.
func agreedJob(key Key, port int) string {
	mac := secret.MAC(key.Bytes(), "dlp-go job id", fmt.Appendf(nil, ": port %d", port))
	return "ame-" + hex.EncodeToString(mac[:8])
}
