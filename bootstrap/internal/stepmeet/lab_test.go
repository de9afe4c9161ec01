package stepmeet

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/slurm"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// lab is a cluster in one process: nodes n1, n2, ... are all this machine.
type lab struct {
	cluster string // unlike that of other tests: it decides on the ports
	home    string
	munge   string       // socket
	tell    func(string) // of rank 0

	farewell time.Duration                     // if it is to be longer than it is
	owner    func(net.Conn) (uid int, ok bool) // as rank 0 sees it; nil: as it is
}

func newLab(t *testing.T) *lab {
	return &lab{cluster: "lab-" + rand.Text(), home: t.TempDir(), munge: filepath.Join(t.TempDir(), "no-munged")}
}

// patience is that of all ranks of the lab with a rank 0 that refuses them.
const patience = 300 * time.Millisecond

// resolve knows the nodes of the lab.
func (l *lab) resolve() func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		if !strings.HasPrefix(host, "n") {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
}

// task is the environment of a rank of job 7, step 0; two ranks per node.
func (l *lab) task(rank, size int) fakeenv.Map {
	node := rank / 2
	var here []string
	for r := 2 * node; r < min(2*node+2, size); r++ {
		here = append(here, fmt.Sprint(r))
	}
	return fakeenv.Map{
		"SLURM_CLUSTER_NAME":   l.cluster,
		"SLURM_JOB_ID":         "7",
		"SLURM_STEP_ID":        "0",
		"SLURM_PROCID":         fmt.Sprint(rank),
		"SLURM_STEP_NUM_TASKS": fmt.Sprint(size),
		"SLURM_STEP_NODELIST":  fmt.Sprintf("n[1-%d]", (size+1)/2),
		"SLURM_NODEID":         fmt.Sprint(node),
		"SLURM_LOCALID":        fmt.Sprint(rank % 2),
		"SLURM_GTIDS":          strings.Join(here, ","),
		"SLURMD_NODENAME":      fmt.Sprintf("n%d", node+1),
		"AME_MUNGE_SOCKET":     l.munge,
		"HOME":                 l.home,
	}
}

// tasks is the environment of every rank, with changes.
func (l *lab) tasks(size int, pairs ...string) []fakeenv.Map {
	envs := make([]fakeenv.Map, size)
	for rank := range size {
		envs[rank] = l.task(rank, size).With(pairs...)
	}
	return envs
}

// rank is what has become of one rank.
type rank struct {
	text    string // its own, or what it got
	found   Found
	server  *Server
	root    []string // addresses of the server
	warning string
}

// join runs all ranks at the same time. Servers are closed with the test.
func (l *lab) join(t *testing.T, ctx context.Context, envs []fakeenv.Map) ([]*rank, []error) {
	ranks, errs := make([]*rank, len(envs)), make([]error, len(envs))
	var all sync.WaitGroup
	for i, env := range envs {
		all.Go(func() { ranks[i], errs[i] = l.run(t, ctx, env) })
	}
	all.Wait()
	return ranks, errs
}

func (l *lab) run(t *testing.T, ctx context.Context, env fakeenv.Map) (*rank, error) {
	step, err := slurm.StepFromEnv(env.Lookup)
	require.NoError(t, err)
	m, err := New(ctx, env.Lookup, step, step.Node)
	if err != nil {
		return nil, err
	}
	m.resolve, m.patience = l.resolve(), patience
	m.farewell = max(m.farewell, l.farewell)
	r := &rank{warning: m.Warning()}
	if step.Rank != 0 {
		r.found, err = m.Search(ctx)
		r.text, r.warning = r.found.Text, r.found.Warning
		return r, err
	}
	if r.server, r.root, err = m.Listen(l.tell); err != nil {
		return nil, err
	}
	if l.owner != nil {
		r.server.owner = l.owner
	}
	t.Cleanup(func() { assert.NoError(t, r.server.Close()) })
	r.text = "text " + rand.Text()
	return r, r.server.Offer(r.text)
}

func (l *lab) mustJoin(t *testing.T, envs []fakeenv.Map) []*rank {
	t.Helper()
	ranks, errs := l.join(t, t.Context(), envs)
	for i := range envs {
		require.NoError(t, errs[i])
	}
	l.check(t, ranks)
	return ranks
}

// check holds ranks against what they must have in common.
func (l *lab) check(t *testing.T, ranks []*rank) {
	t.Helper()
	for i, r := range ranks {
		assert.Equal(t, ranks[0].text, r.text)
		if i > 0 {
			assert.Contains(t, r.found.Address, "127.0.0.1:")
			talk(t, ranks[0].server, r.found.Address)
		}
	}
}

// talk checks that a connection that is none of the rendezvous reaches Accept,
// with all of its bytes.
func talk(t *testing.T, listener net.Listener, address string) {
	t.Helper()
	for _, text := range []string{"dlp/ame\x00 hello", "dlp/slm", "GET / HTTP/1.0"} {
		client, err := net.Dial("tcp", address)
		require.NoError(t, err)
		client.Write([]byte(text))
		if text == "dlp/slm" { // as yet the magic; one more byte tells
			client.Write([]byte("x"))
			text += "x"
		}
		server, err := listener.Accept()
		require.NoError(t, err)
		assert.IsType(t, &net.TCPConn{}, server)
		client.Close()
		got, err := io.ReadAll(server)
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
		server.Close()
	}
}
