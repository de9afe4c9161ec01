package stepmeet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/listen"
	"github.com/dlp-mpi/dlp-go/internal/secret"
	"github.com/dlp-mpi/dlp-go/slurm"
	"github.com/dlp-mpi/dlp-go/test/mungetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mapEnv is the environment of a table.
type mapEnv map[string]string

func (m mapEnv) lookup(name string) (string, bool) {
	value, ok := m[name]
	return value, ok
}

// with returns a copy with further variables.
func (m mapEnv) with(pairs ...string) mapEnv {
	out := maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// without returns a copy that lacks a variable.
func (m mapEnv) without(name string) mapEnv {
	out := maps.Clone(m)
	delete(out, name)
	return out
}

// lab is a cluster in one process: nodes n1, n2, ... are all this machine.
type lab struct {
	cluster string // unlike that of other tests: it decides on the ports
	home    string
	munge   string // socket
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
func (l *lab) task(rank, size int) mapEnv {
	node := rank / 2
	var here []string
	for r := 2 * node; r < min(2*node+2, size); r++ {
		here = append(here, fmt.Sprint(r))
	}
	return mapEnv{
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
func (l *lab) tasks(size int, pairs ...string) []mapEnv {
	envs := make([]mapEnv, size)
	for rank := range size {
		envs[rank] = l.task(rank, size).with(pairs...)
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
func (l *lab) join(t *testing.T, ctx context.Context, envs []mapEnv) ([]*rank, []error) {
	ranks, errs := make([]*rank, len(envs)), make([]error, len(envs))
	var all sync.WaitGroup
	for i, env := range envs {
		all.Go(func() { ranks[i], errs[i] = l.run(t, ctx, env) })
	}
	all.Wait()
	return ranks, errs
}

func (l *lab) run(t *testing.T, ctx context.Context, env mapEnv) (*rank, error) {
	step, err := slurm.StepFromEnv(env.lookup)
	require.NoError(t, err)
	m, err := New(ctx, env.lookup, step, step.Node)
	if err != nil {
		return nil, err
	}
	m.resolve, m.patience = l.resolve(), patience
	r := &rank{warning: m.Warning()}
	if step.Rank != 0 {
		r.found, err = m.Search(ctx)
		r.text, r.warning = r.found.Text, r.found.Warning
		return r, err
	}
	if r.server, r.root, err = m.Listen(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { assert.NoError(t, r.server.Close()) })
	r.text = "text " + rand.Text()
	return r, r.server.Offer(r.text)
}

func (l *lab) mustJoin(t *testing.T, envs []mapEnv) []*rank {
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

func TestWithMunge(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	ranks := l.mustJoin(t, l.tasks(7))
	assert.Empty(t, ranks[3].warning)
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist, "no key file where MUNGE works")
}

func TestWithKeyFile(t *testing.T) {
	l := newLab(t)
	l.mustJoin(t, l.tasks(6))
	info, err := os.Stat(filepath.Join(l.home, ".config/ame/key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	entries, err := os.ReadDir(filepath.Join(l.home, ".config/ame"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing left behind")
}

func TestKeyFileByName(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	path := filepath.Join(t.TempDir(), "sub/my.key")
	l.mustJoin(t, l.tasks(3, "AME_KEY_FILE", path))
	_, err := os.Stat(path)
	require.NoError(t, err, "used although munged is there")
}

func TestInsecure(t *testing.T) {
	l := newLab(t)
	ranks := l.mustJoin(t, l.tasks(3, "AME_INSECURE", "1"))
	assert.Contains(t, ranks[0].warning, "AME_INSECURE=1: whoever reaches this job over the network can join it")
	assert.Contains(t, ranks[2].warning, "AME_INSECURE=1: the key of this job came to n2 in clear")
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestMungeAlthoughInsecureIsAllowed(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	for _, r := range l.mustJoin(t, l.tasks(3, "AME_INSECURE", "1")) {
		assert.Empty(t, r.warning)
	}
}

func TestWithoutProof(t *testing.T) {
	l := newLab(t)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2).without("HOME")})
	for _, part := range []string{"node n1", "munge unavailable: no socket " + l.munge, "AME_KEY_FILE", "AME_INSECURE=1", "AME_MUNGE_SOCKET"} {
		require.ErrorContains(t, errs[0], part)
	}
}

func TestNodesWithDifferentProofs(t *testing.T) {
	daemon := mungetest.Start(t, nil)
	for name, without := range map[string]int{"a rank without munged": 2, "rank 0 without munged": 0} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.munge = daemon.Socket
			envs := l.tasks(4)
			envs[without]["AME_MUNGE_SOCKET"] = filepath.Join(t.TempDir(), "none")
			l.mustJoin(t, envs) // the home directory is shared
		})
		t.Run(name+", homes apart", func(t *testing.T) {
			l := newLab(t)
			l.munge = daemon.Socket
			envs := l.tasks(4)
			envs[without]["AME_MUNGE_SOCKET"] = filepath.Join(t.TempDir(), "none")
			envs[without]["HOME"] = t.TempDir()
			_, errs := l.join(t, t.Context(), envs)
			for rank, err := range errs {
				if (without == 0) == (rank == 0) {
					continue // rank 0 does not know of the others; here all or one of them fail
				}
				if without != 0 && rank != without {
					require.NoError(t, err)
					continue
				}
				node := fmt.Sprintf("n%d", rank/2+1)
				require.ErrorContains(t, err, fmt.Sprintf("rank %d on %s and rank 0 do not come together: rank 0 on n1 takes", rank, node))
				require.ErrorContains(t, err, "munge unavailable")
				require.ErrorContains(t, err, "start munged on every node")
			}
		})
	}
}

func TestHomesApart(t *testing.T) {
	l := newLab(t)
	envs := l.tasks(3)
	envs[2]["HOME"] = t.TempDir()
	_, errs := l.join(t, t.Context(), envs)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "its key file "+l.home+"/.config/ame/key is another one: is the directory not shared between the nodes?")
}

func TestDifferentMungeKeys(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	envs := l.tasks(3)
	envs[2]["AME_MUNGE_SOCKET"] = mungetest.Start(t, nil).Socket
	_, errs := l.join(t, t.Context(), envs)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "node n1: slurm: munge decode: munged refuses: Invalid credential (error 14); the nodes have different munge keys")
}

func TestMungedHasDied(t *testing.T) {
	l := newLab(t)
	daemon := mungetest.Start(t, nil)
	daemon.Stop()
	l.munge = daemon.Socket
	_, errs := l.join(t, t.Context(), l.tasks(1, "SLURM_STEP_NUM_TASKS", "2"))
	require.ErrorContains(t, errs[0], "node n1: slurm: munge encode: munge unavailable: munged is not running, its socket "+daemon.Socket+" is stale")
	require.ErrorContains(t, errs[0], "start munged there, or use a key file instead")
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist, "no other proof behind the user's back")
}

func TestRootAnywhere(t *testing.T) {
	l := newLab(t)
	// Rank 0 on the last node, as -m arbitrary allows.
	envs := l.tasks(6, "SLURM_DISTRIBUTION", "arbitrary")
	nodes := []string{"n3", "n1", "n2", "n1", "n2", "n3"}
	for rank, env := range envs {
		env["SLURMD_NODENAME"] = nodes[rank]
		env["SLURM_GTIDS"] = map[string]string{"n1": "1,3", "n2": "2,4", "n3": "0,5"}[nodes[rank]]
	}
	ranks, errs := l.join(t, t.Context(), envs)
	for i := range envs {
		require.NoError(t, errs[i])
		assert.Equal(t, ranks[0].text, ranks[i].text)
	}
}

func TestStepsSideBySide(t *testing.T) {
	l := newLab(t)
	// Few ports, so that the steps are in each other's way.
	ports := fmt.Sprintf("AME_PORT_RANGE=%s", freeRange(t, 6))
	name, value, _ := strings.Cut(ports, "=")
	var all sync.WaitGroup
	steps := make([][]*rank, 4)
	for step := range steps {
		all.Go(func() {
			var errs []error
			steps[step], errs = l.join(t, t.Context(), l.tasks(4, "SLURM_STEP_ID", fmt.Sprint(step), name, value))
			for _, err := range errs {
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	for _, ranks := range steps {
		l.check(t, ranks)
	}
}

// freeRange returns a range of ports of which all were free just now.
func freeRange(t *testing.T, n int) string {
	for range 100 {
		first := 10000 + int(time.Now().UnixNano()/1000)%9000
		free := true
		for port := first; port < first+n; port++ {
			listener, err := net.Listen("tcp", listen.HostPort("", port))
			if free = free && err == nil; err == nil {
				listener.Close()
			}
		}
		if free {
			return fmt.Sprintf("%d-%d", first, first+n-1)
		}
	}
	t.Fatal("no free ports")
	return ""
}

func TestStepAfterStep(t *testing.T) {
	l := newLab(t)
	seen := map[string]bool{}
	for range 3 { // programs of one step, one after another
		ranks := l.mustJoin(t, l.tasks(3))
		seen[ranks[0].text] = true
		require.NoError(t, ranks[0].server.Close())
	}
	assert.Len(t, seen, 3)
}

// occupy listens on the first ports of the lab's step.
func (l *lab) occupy(t *testing.T, handlers ...func(net.Conn)) {
	step, err := slurm.StepFromEnv(l.task(0, 2).lookup)
	require.NoError(t, err)
	ports, err := sequence(mapEnv{}.lookup, step)
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait) // after the listeners are closed
	for i, handle := range handlers {
		listener, err := net.Listen("tcp", listen.HostPort("", ports.List[i]))
		require.NoError(t, err)
		t.Cleanup(func() { listener.Close() })
		serving.Go(func() {
			var conns []net.Conn
			for {
				conn, err := listener.Accept()
				if err != nil {
					break
				}
				conns = append(conns, conn)
				serving.Go(func() { handle(conn) })
			}
			for _, conn := range conns {
				conn.Close()
			}
		})
	}
}

func TestStrangersOnThePorts(t *testing.T) {
	l := newLab(t)
	answer := func(word verdict, proof proofSet) func(net.Conn) {
		return func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, helloSize))
			a := rootAnswer{verdict: word, proof: proof, text: "n1"}
			conn.Write(a.appendTo(nil))
			readBytes(conn, maxBytes)
			conn.Write(appendBytes([]byte{byte(verdictGoOn)}, []byte("my own key")))
			io.Copy(io.Discard, conn)
		}
	}
	l.occupy(t,
		func(conn net.Conn) { io.Copy(io.Discard, conn) }, // silence
		func(conn net.Conn) {
			conn.Write([]byte("220 mail.example ESMTP" + strings.Repeat(" ", 100)))
			conn.Close()
		},
		func(conn net.Conn) { conn.Close() },
		answer(verdictOtherStep, 0),
		answer(verdictGoOn, proofInsecure), // not offered
		answer(verdictGoOn, proofKeyFile),  // without knowing the key
	)
	l.mustJoin(t, l.tasks(5))
}

// hostile speaks the rendezvous by hand, as rank 1 of the lab's step of 2.
func hostile(t *testing.T, address string, change func(*rankHello)) (net.Conn, rankHello, rootAnswer) {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	hello := rankHello{version: version, rank: 1, size: 2, offer: proofMunge | proofKeyFile | proofInsecure}
	change(&hello)
	conn.Write(hello.appendTo(nil))
	answer, err := readAnswer(conn)
	require.NoError(t, err)
	return conn, hello, answer
}

// last reads the end of a rendezvous.
func last(t *testing.T, conn net.Conn) (verdict, string) {
	word := make([]byte, 1)
	_, err := io.ReadFull(conn, word)
	require.NoError(t, err)
	body, err := readBytes(conn, maxBytes)
	require.NoError(t, err)
	return verdict(word[0]), string(body)
}

func TestRootTurnsStrangersAway(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	root := l.join2(t)
	address := root.root[0]
	digest := stepDigest("slurm:" + l.cluster + ":7.0.0")
	genuine := func(h *rankHello) { h.digest = digest }

	for name, test := range map[string]struct {
		change func(*rankHello)
		want   verdict
		text   string
	}{
		"other job":     {func(h *rankHello) {}, verdictOtherStep, "another step: slurm:" + l.cluster + ":7.0.0 of 2 ranks"},
		"other size":    {func(h *rankHello) { genuine(h); h.size = 3 }, verdictOtherStep, "another step"},
		"no such rank":  {func(h *rankHello) { genuine(h); h.rank = 2 }, verdictOtherStep, "another step"},
		"second rank 0": {func(h *rankHello) { genuine(h); h.rank = 0 }, verdictOtherStep, "another step"},
		"other version": {func(h *rankHello) { genuine(h); h.version = 9 }, verdictOtherBuild, "version 2 of the rendezvous, this rank version 9"},
		"insecure only": {func(h *rankHello) { genuine(h); h.offer = proofInsecure }, verdictNoProof, "rank 0 on n1 takes MUNGE"},
		"a key file":    {func(h *rankHello) { genuine(h); h.offer = proofKeyFile }, verdictNoProof, "rank 0 on n1 takes MUNGE"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, answer := hostile(t, address, test.change)
			assert.Equal(t, test.want, answer.verdict)
			assert.Contains(t, answer.text, test.text)
			assert.Zero(t, answer.nonce)
		})
	}

	prover, err := newProver(t.Context(), l.task(1, 2).lookup, "n1")
	require.NoError(t, err)
	prove := func(label string, transcript []byte, more ...byte) []byte {
		payload := slices.Concat([]byte(label), transcript, more)
		credential, err := prover.munge.Encode(t.Context(), payload, prover.uid)
		require.NoError(t, err)
		return []byte(credential)
	}
	_, otherHello, otherAnswer := hostile(t, address, genuine)
	other := transcriptOf(&otherHello, &otherAnswer)
	for name, test := range map[string]struct {
		proof func(transcript []byte) []byte
		text  string
	}{
		"of another connection": {func([]byte) []byte { return prove(labelMember, other[:]) }, "credential of another connection"},
		"mirrored":              {func(own []byte) []byte { return prove(labelRoot, own) }, "credential of another connection"},
		"too long":              {func(own []byte) []byte { return prove(labelMember, own, 'x') }, "credential with a longer payload"},
		"garbage":               {func([]byte) []byte { return []byte("garbage") }, "munged refuses"},
		"nothing":               {func([]byte) []byte { return nil }, "credential of 0 bytes"},
		"replayed": {func(own []byte) []byte {
			proof := prove(labelMember, own)
			_, err := prover.munge.Decode(t.Context(), string(proof))
			require.NoError(t, err)
			return proof
		}, "Replayed credential"},
		"for everybody": {func(own []byte) []byte {
			credential, err := prover.munge.Encode(t.Context(), append([]byte(labelMember), own...), slurm.AnyUID)
			require.NoError(t, err)
			return []byte(credential)
		}, "for user 4294967295"},
	} {
		t.Run("proof "+name, func(t *testing.T) {
			conn, hello, answer := hostile(t, address, genuine)
			assert.NotEqual(t, otherAnswer.nonce, answer.nonce)
			transcript := transcriptOf(&hello, &answer)
			conn.Write(appendBytes(nil, test.proof(transcript[:])))
			word, text := last(t, conn)
			assert.Equal(t, verdictRefused, word)
			assert.Contains(t, text, test.text)
			assert.NotContains(t, text, root.text)
		})
	}

	// After all that, rank 1 joins.
	ranks, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	assert.Equal(t, root.text, ranks[0].text)
}

// join2 is rank 0 of 2.
func (l *lab) join2(t *testing.T) *rank {
	ranks, errs := l.join(t, t.Context(), []mapEnv{l.task(0, 2)})
	require.NoError(t, errs[0])
	return ranks[0]
}

func TestSilenceHoldsNobodyUp(t *testing.T) {
	l := newLab(t)
	root := l.join2(t)
	for i := range 100 {
		conn, err := net.Dial("tcp", root.root[0])
		require.NoError(t, err)
		defer conn.Close()
		conn.Write([]byte(magic)[:i%8])
	}
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	client, err := net.Dial("tcp", root.root[0])
	require.NoError(t, err)
	defer client.Close()
	client.Write([]byte("other"))
	conn, err := root.server.Accept()
	require.NoError(t, err)
	conn.Close()
}

func TestRankTwice(t *testing.T) {
	l := newLab(t)
	root := l.join2(t)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	_, errs = l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.ErrorContains(t, errs[0], "rank 1 on n1 and rank 0 do not come together: rank 0 on n1 has a rank 1 already: was the program started twice in this step? (no other rank 0 was found)")
	require.NoError(t, root.server.Close())
}

// Rank 0 of one program of the task outlives its rank 1, which starts the next
// one meanwhile: that looks on until the next rank 0 comes.
func TestNextProgramWhileTheFirstRootLives(t *testing.T) {
	l := newLab(t)
	first := l.join2(t)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	next := make(chan *rank)
	go func() {
		r, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
		assert.NoError(t, errs[0])
		next <- r[0]
	}()
	first.server.Complete()
	select {
	case <-next:
		t.Fatal("it has met a rank 0 whose job is complete")
	case <-time.After(2 * patience):
	}
	second := l.join2(t)
	assert.Equal(t, second.text, (<-next).text)
}

func TestLooksOnOtherNodesOnlyWhereTheNodeIsUnknown(t *testing.T) {
	l := newLab(t)
	for name, test := range map[string]struct {
		env   mapEnv
		nodes []string
		known bool
	}{
		"block":     {l.task(5, 6), []string{"n1"}, true},
		"arbitrary": {l.task(5, 6).with("SLURM_DISTRIBUTION", "arbitrary"), []string{"n1", "n2", "n3"}, false},
	} {
		step, err := slurm.StepFromEnv(test.env.lookup)
		require.NoError(t, err)
		nodes, known := (&Member{step: step}).where()
		assert.Equal(t, test.nodes, nodes, name)
		assert.Equal(t, test.known, known, name)
	}
}

func TestTwoProgramsAtOnce(t *testing.T) {
	l := newLab(t)
	first, second := l.join2(t), l.join2(t)
	assert.NotEqual(t, first.root, second.root)
	a, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2), l.task(1, 2)})
	require.NoError(t, errors.Join(errs...))
	assert.ElementsMatch(t, []string{first.text, second.text}, []string{a[0].text, a[1].text})
}

func TestNoRoot(t *testing.T) {
	l := newLab(t)
	l.makeKey(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("out of patience")) })
	_, errs := l.join(t, ctx, []mapEnv{l.task(2, 3), l.task(2, 3).with("SLURM_STEP_NODELIST", "x[1-2]")})
	require.ErrorContains(t, errs[0], "rank 2 on n2 cannot reach rank 0 on n1: out of patience; tried 127.0.0.1 port 2")
	require.ErrorContains(t, errs[0], "connection refused")
	require.ErrorContains(t, errs[1], "tried node x1: lookup x1: no such host")
}

func (l *lab) makeKey(t *testing.T) {
	_, err := makeKeyFile(t.Context(), filepath.Join(l.home, ".config/ame/key"))
	require.NoError(t, err)
}

func TestCancelled(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errs := l.join(t, ctx, []mapEnv{l.task(1, 2)})
	require.ErrorIs(t, errs[0], context.Canceled)
}

func TestPorts(t *testing.T) {
	list := func(env mapEnv, changes ...string) []int {
		l := lab{cluster: "lab"}
		step, err := slurm.StepFromEnv(l.task(0, 2).with(changes...).lookup)
		require.NoError(t, err)
		ports, err := sequence(env.lookup, step)
		require.NoError(t, err)
		assert.Equal(t, len(ports.List), len(slices.Compact(slices.Sorted(slices.Values(ports.List)))), "no port twice")
		return ports.List
	}
	plain := list(nil)
	assert.Len(t, plain, 8)
	for _, port := range plain {
		assert.True(t, 20000 <= port && port < 30000, port)
	}
	assert.Equal(t, plain, list(nil, "SLURM_PROCID", "1"), "the same on all ranks")
	for _, change := range []string{"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT", "SLURM_CLUSTER_NAME"} {
		assert.NotEqual(t, plain, list(nil, change, "5"), change)
	}
	reserved := []string{"SLURM_STEP_RESV_PORTS", "20000,20097-20200"}
	assert.Equal(t, append([]int{20000, 20097, 20098, 20099, 20100, 20101, 20102, 20103}, plain...), list(nil, reserved...))
	assert.Equal(t, []int{20097, 20098}, list(mapEnv{"AME_PORT_RANGE": "20090-20098"}, reserved...)[:2])
	assert.ElementsMatch(t, []int{5000, 5001, 5002}, list(mapEnv{"AME_PORT_RANGE": "5000-5002"}))
	_, err := sequence(mapEnv{"AME_PORT_RANGE": "x"}.lookup, &slurm.Step{})
	require.Error(t, err)
}

func TestNoFreePort(t *testing.T) {
	l := newLab(t)
	listener, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer listener.Close()
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(0, 4).with("AME_PORT_RANGE", port)})
	require.ErrorContains(t, errs[0], "AME_PORT_RANGE="+port)
	require.ErrorContains(t, errs[0], "makes every rank use other ports")
}

func TestKeyFileChecks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	good := secret.New().Encode()
	for _, test := range []struct{ path, message string }{
		{write("open", good, 0o640), "is not used: its mode -rw-r----- lets others in: chmod 600"},
		{write("short", "c2hvcnQ=", 0o600), "(8 bytes, not shown): decodes to 5 bytes"},
		{write("empty", "", 0o600), "(0 bytes, not shown)"},
		{dir, "is not used: it is no regular file"},
	} {
		_, err := makeKeyFile(t.Context(), test.path)
		require.ErrorContains(t, err, test.message)
		require.NotContains(t, err.Error(), "c2hvcnQ")
	}
	if os.Geteuid() == 0 {
		path := write("foreign", good, 0o600)
		require.NoError(t, os.Chown(path, 12345, -1))
		_, err := makeKeyFile(t.Context(), path)
		require.ErrorContains(t, err, "belongs to user 12345, this process to 0")
	}
	_, err := makeKeyFile(t.Context(), filepath.Join(write("file", good, 0o600), "key"))
	require.ErrorContains(t, err, "not a directory")
}

func TestKeyFileOfManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a/b/key")
	keys := make([][]byte, 64)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			keys[i], err = makeKeyFile(t.Context(), path)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	for _, key := range keys {
		assert.Equal(t, keys[0], key)
	}
}

func FuzzWire(f *testing.F) {
	hello := rankHello{version: 1, rank: 1, size: 2}
	answer := rootAnswer{verdict: verdictGoOn, proof: proofMunge, text: "n1"}
	for _, seed := range [][]byte{hello.appendTo(nil), answer.appendTo(nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= helloSize {
			if h, err := parseHello([helloSize]byte(b)); err == nil {
				if again, _ := parseHello([helloSize]byte(h.appendTo(nil))); again != h {
					t.Fatalf("%v becomes %v", h, again)
				}
			}
		}
		if a, err := readAnswer(strings.NewReader(string(b))); err == nil {
			if again, err := readAnswer(strings.NewReader(string(a.appendTo(nil)))); err != nil || again.text != a.text {
				t.Fatalf("%v becomes %v: %v", a, again, err)
			}
		}
	})
}
