package bootstrap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
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

	"github.com/dlp-mpi/dlp-go/slurm"
	"github.com/dlp-mpi/dlp-go/test/mungetest"
)

// lab is a cluster in one process: nodes n1, n2, ... are all this machine.
type lab struct {
	cluster string // unlike that of other tests: it decides on the ports
	home    string
	munge   string // socket
}

func newLab(t *testing.T) *lab {
	return &lab{cluster: "lab-" + rand.Text(), home: t.TempDir(), munge: filepath.Join(t.TempDir(), "no-munged")}
}

// method is the method slurm with the names of the lab.
func (l *lab) method() slurmMethod {
	resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
		if !strings.HasPrefix(host, "n") {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return addrs("127.0.0.1"), nil
	}
	return slurmMethod{resolve: resolve, patience: 300 * time.Millisecond}
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

// join runs all ranks at the same time. Rank 0 accepts like ame meanwhile.
func (l *lab) join(t *testing.T, ctx context.Context, envs []mapEnv) ([]*World, []error) {
	worlds, errs := make([]*World, len(envs)), make([]error, len(envs))
	var ranks sync.WaitGroup
	for i, env := range envs {
		ranks.Go(func() {
			worlds[i], _, errs[i] = find(ctx, env.lookup, []Method{l.method(), singleMethod{}})
			if errs[i] == nil && worlds[i].Listener != nil {
				t.Cleanup(func() {
					assert.NoError(t, worlds[i].Listener.Close())
					assert.NoError(t, worlds[i].Release())
				})
			}
		})
	}
	ranks.Wait()
	return worlds, errs
}

func (l *lab) mustJoin(t *testing.T, envs []mapEnv) []*World {
	t.Helper()
	worlds, errs := l.join(t, t.Context(), envs)
	for rank := range envs {
		require.NoError(t, errs[rank])
	}
	l.check(t, worlds)
	return worlds
}

// check holds worlds against what they must have in common.
func (l *lab) check(t *testing.T, worlds []*World) {
	t.Helper()
	for rank, world := range worlds {
		assert.Equal(t, "slurm", world.Method)
		assert.Equal(t, rank, world.Rank)
		assert.Equal(t, len(worlds), world.Size)
		assert.Equal(t, worlds[0].Job, world.Job)
		assert.Equal(t, worlds[0].Key.Bytes(), world.Key.Bytes())
		assert.Equal(t, rank == 0, world.Listener != nil)
		assert.Equal(t, "n1", world.RootHost)
		assert.Equal(t, fmt.Sprintf("n%d", rank/2+1), world.Host)
		assert.Equal(t, rank%2, world.LocalRank)
		assert.Subset(t, world.Root, worlds[0].Root)
		talk(t, worlds[0].Listener, world.Root[0])
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

func TestSlurmWithMunge(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	worlds := l.mustJoin(t, l.tasks(7))
	assert.True(t, strings.HasPrefix(worlds[0].Job, "slurm:"+l.cluster+":7.0.0-"), worlds[0].Job)
	assert.Empty(t, worlds[3].Warnings)
	assert.Equal(t, []int{2, 2, 2, 2, 2, 2, 1}, localSizes(worlds))
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist, "no key file where MUNGE works")
}

func localSizes(worlds []*World) (sizes []int) {
	for _, world := range worlds {
		sizes = append(sizes, world.LocalSize)
	}
	return sizes
}

func TestSlurmWithKeyFile(t *testing.T) {
	l := newLab(t)
	l.mustJoin(t, l.tasks(6))
	info, err := os.Stat(filepath.Join(l.home, ".config/ame/key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	entries, err := os.ReadDir(filepath.Join(l.home, ".config/ame"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing left behind")
}

func TestSlurmKeyFileByName(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	path := filepath.Join(t.TempDir(), "sub/my.key")
	l.mustJoin(t, l.tasks(3, "AME_KEY_FILE", path))
	_, err := os.Stat(path)
	require.NoError(t, err, "used although munged is there")
}

func TestSlurmInsecure(t *testing.T) {
	l := newLab(t)
	worlds := l.mustJoin(t, l.tasks(3, "AME_INSECURE", "1"))
	assert.ErrorContains(t, errors.New(strings.Join(worlds[0].Warnings, "")), "AME_INSECURE=1: whoever reaches this job over the network can join it")
	assert.ErrorContains(t, errors.New(strings.Join(worlds[2].Warnings, "")), "AME_INSECURE=1: the key of this job came to n2 in clear")
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestSlurmMungeAlthoughInsecureIsAllowed(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	for _, world := range l.mustJoin(t, l.tasks(3, "AME_INSECURE", "1")) {
		assert.Empty(t, world.Warnings)
	}
}

func TestSlurmWithoutProof(t *testing.T) {
	l := newLab(t)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2).without("HOME")})
	for _, part := range []string{"node n1", "munge unavailable: no socket " + l.munge, "AME_KEY_FILE", "AME_INSECURE=1", "AME_MUNGE_SOCKET"} {
		require.ErrorContains(t, errs[0], part)
	}
}

func TestSlurmNodesWithDifferentProofs(t *testing.T) {
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

func TestSlurmHomesApart(t *testing.T) {
	l := newLab(t)
	envs := l.tasks(3)
	envs[2]["HOME"] = t.TempDir()
	_, errs := l.join(t, t.Context(), envs)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "its key file "+l.home+"/.config/ame/key is another one: is the directory not shared between the nodes?")
}

func TestSlurmDifferentMungeKeys(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	envs := l.tasks(3)
	envs[2]["AME_MUNGE_SOCKET"] = mungetest.Start(t, nil).Socket
	_, errs := l.join(t, t.Context(), envs)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "node n1: slurm: munge decode: munged refuses: Invalid credential (error 14); the nodes have different munge keys")
}

func TestSlurmMungedHasDied(t *testing.T) {
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

func TestSlurmAlone(t *testing.T) {
	l := newLab(t)
	world, _, err := find(t.Context(), l.task(0, 1).lookup, []Method{l.method()})
	require.NoError(t, err)
	assert.Nil(t, world.Listener)
	assert.Equal(t, "n1", world.Host)
	assert.Equal(t, []int{0, 1}, []int{world.LocalRank, world.LocalSize})
}

func TestSlurmRootAnywhere(t *testing.T) {
	l := newLab(t)
	// Rank 0 on the last node, as -m arbitrary allows.
	envs := l.tasks(6, "SLURM_DISTRIBUTION", "arbitrary")
	nodes := []string{"n3", "n1", "n2", "n1", "n2", "n3"}
	for rank, env := range envs {
		env["SLURMD_NODENAME"] = nodes[rank]
		env["SLURM_GTIDS"] = map[string]string{"n1": "1,3", "n2": "2,4", "n3": "0,5"}[nodes[rank]]
	}
	worlds, errs := l.join(t, t.Context(), envs)
	for rank := range envs {
		require.NoError(t, errs[rank])
		assert.Equal(t, worlds[0].Key.Bytes(), worlds[rank].Key.Bytes())
	}
}

func TestSlurmStepsSideBySide(t *testing.T) {
	l := newLab(t)
	// Few ports, so that the steps are in each other's way.
	ports := fmt.Sprintf("AME_PORT_RANGE=%s", freeRange(t, 6))
	name, value, _ := strings.Cut(ports, "=")
	var all sync.WaitGroup
	worlds := make([][]*World, 4)
	for step := range worlds {
		all.Go(func() {
			var errs []error
			worlds[step], errs = l.join(t, t.Context(), l.tasks(4, "SLURM_STEP_ID", fmt.Sprint(step), name, value))
			for _, err := range errs {
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	for step, ranks := range worlds {
		l.check(t, ranks)
		assert.Contains(t, ranks[3].Job, fmt.Sprintf(":7.0.%d-", step))
	}
}

// freeRange returns a range of ports of which all were free just now.
func freeRange(t *testing.T, n int) string {
	for range 100 {
		first := 10000 + int(time.Now().UnixNano()/1000)%9000
		free := true
		for port := first; port < first+n; port++ {
			listener, err := net.Listen("tcp", hostPort("", port))
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

func TestSlurmStepAfterStep(t *testing.T) {
	l := newLab(t)
	seen := map[string]bool{}
	for range 3 { // programs of one step, one after another
		worlds := l.mustJoin(t, l.tasks(3))
		seen[worlds[0].Job] = true
		require.NoError(t, worlds[0].Listener.Close())
	}
	assert.Len(t, seen, 3)
}

// occupy listens on the first ports of the lab's step.
func (l *lab) occupy(t *testing.T, handlers ...func(net.Conn)) {
	step, err := slurm.StepFromEnv(l.task(0, 2).lookup)
	require.NoError(t, err)
	sequence, err := slurmPorts(mapEnv{}.lookup, step)
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait) // after the listeners are closed
	for i, handle := range handlers {
		listener, err := net.Listen("tcp", hostPort("", sequence.list[i]))
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

func TestSlurmStrangersOnThePorts(t *testing.T) {
	l := newLab(t)
	answer := func(verdict slurmVerdict, proof slurmProofSet) func(net.Conn) {
		return func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, slurmHelloSize))
			a := slurmAnswer{verdict: verdict, proof: proof, text: "n1"}
			conn.Write(a.appendTo(nil))
			readSlurmBytes(conn, maxSlurmBytes)
			conn.Write(appendSlurmBytes([]byte{byte(slurmGoOn)}, []byte("my own key")))
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
		answer(slurmOtherStep, 0),
		answer(slurmGoOn, proofInsecure), // not offered
		answer(slurmGoOn, proofKeyFile),  // without knowing the key
	)
	l.mustJoin(t, l.tasks(5))
}

// hostile speaks the rendezvous by hand, as rank 1 of the lab's step of 2.
func hostile(t *testing.T, address string, change func(*slurmHello)) (net.Conn, slurmHello, slurmAnswer) {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	hello := slurmHello{version: slurmVersion, rank: 1, size: 2, offer: proofMunge | proofKeyFile | proofInsecure}
	change(&hello)
	conn.Write(hello.appendTo(nil))
	answer, err := readSlurmAnswer(conn)
	require.NoError(t, err)
	return conn, hello, answer
}

// last reads the end of a rendezvous.
func last(t *testing.T, conn net.Conn) (slurmVerdict, string) {
	verdict := make([]byte, 1)
	_, err := io.ReadFull(conn, verdict)
	require.NoError(t, err)
	body, err := readSlurmBytes(conn, maxSlurmBytes)
	require.NoError(t, err)
	return slurmVerdict(verdict[0]), string(body)
}

func TestSlurmRootTurnsStrangersAway(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	root := l.join2(t)
	address := root.Root[0]
	digest := slurmDigest("slurm:" + l.cluster + ":7.0.0")
	genuine := func(h *slurmHello) { h.digest = digest }

	for name, test := range map[string]struct {
		change func(*slurmHello)
		want   slurmVerdict
		text   string
	}{
		"other job":     {func(h *slurmHello) {}, slurmOtherStep, "another step: slurm:" + l.cluster + ":7.0.0 of 2 ranks"},
		"other size":    {func(h *slurmHello) { genuine(h); h.size = 3 }, slurmOtherStep, "another step"},
		"no such rank":  {func(h *slurmHello) { genuine(h); h.rank = 2 }, slurmOtherStep, "another step"},
		"second rank 0": {func(h *slurmHello) { genuine(h); h.rank = 0 }, slurmOtherStep, "another step"},
		"other version": {func(h *slurmHello) { genuine(h); h.version = 9 }, slurmOtherBuild, "version 1 of the rendezvous, this rank version 9"},
		"insecure only": {func(h *slurmHello) { genuine(h); h.offer = proofInsecure }, slurmNoProof, "rank 0 on n1 takes MUNGE"},
		"a key file":    {func(h *slurmHello) { genuine(h); h.offer = proofKeyFile }, slurmNoProof, "rank 0 on n1 takes MUNGE"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, answer := hostile(t, address, test.change)
			assert.Equal(t, test.want, answer.verdict)
			assert.Contains(t, answer.text, test.text)
			assert.Zero(t, answer.nonce)
		})
	}

	proofs, err := newSlurmProofs(t.Context(), l.task(1, 2).lookup, "n1")
	require.NoError(t, err)
	prove := func(label string, transcript []byte, more ...byte) []byte {
		payload := slices.Concat([]byte(label), transcript, more)
		credential, err := proofs.munge.Encode(t.Context(), payload, proofs.uid)
		require.NoError(t, err)
		return []byte(credential)
	}
	_, otherHello, otherAnswer := hostile(t, address, genuine)
	other := slurmTranscript(&otherHello, &otherAnswer)
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
			_, err := proofs.munge.Decode(t.Context(), string(proof))
			require.NoError(t, err)
			return proof
		}, "Replayed credential"},
		"for everybody": {func(own []byte) []byte {
			credential, err := proofs.munge.Encode(t.Context(), append([]byte(labelMember), own...), slurm.AnyUID)
			require.NoError(t, err)
			return []byte(credential)
		}, "for user 4294967295"},
	} {
		t.Run("proof "+name, func(t *testing.T) {
			conn, hello, answer := hostile(t, address, genuine)
			assert.NotEqual(t, otherAnswer.nonce, answer.nonce)
			transcript := slurmTranscript(&hello, &answer)
			conn.Write(appendSlurmBytes(nil, test.proof(transcript[:])))
			verdict, text := last(t, conn)
			assert.Equal(t, slurmRefused, verdict)
			assert.Contains(t, text, test.text)
			assert.NotContains(t, text, string(root.Key.Bytes()))
		})
	}

	// After all that, rank 1 joins.
	worlds, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	assert.Equal(t, root.Key.Bytes(), worlds[0].Key.Bytes())
}

// join2 is rank 0 of 2.
func (l *lab) join2(t *testing.T) *World {
	worlds, errs := l.join(t, t.Context(), []mapEnv{l.task(0, 2)})
	require.NoError(t, errs[0])
	return worlds[0]
}

func TestSlurmSilenceHoldsNobodyUp(t *testing.T) {
	l := newLab(t)
	root := l.join2(t)
	for i := range 100 {
		conn, err := net.Dial("tcp", root.Root[0])
		require.NoError(t, err)
		defer conn.Close()
		conn.Write([]byte(slurmMagic)[:i%8])
	}
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	client, err := net.Dial("tcp", root.Root[0])
	require.NoError(t, err)
	defer client.Close()
	client.Write([]byte("other"))
	conn, err := root.Listener.Accept()
	require.NoError(t, err)
	conn.Close()
}

func TestSlurmRankTwice(t *testing.T) {
	l := newLab(t)
	root := l.join2(t)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.NoError(t, errs[0])
	_, errs = l.join(t, t.Context(), []mapEnv{l.task(1, 2)})
	require.ErrorContains(t, errs[0], "rank 1 on n1 and rank 0 do not come together: rank 0 on n1 has a rank 1 already: was the program started twice in this step? (no other rank 0 was found)")
	require.NoError(t, root.Listener.Close())
}

func TestSlurmTwoProgramsAtOnce(t *testing.T) {
	l := newLab(t)
	first, second := l.join2(t), l.join2(t)
	assert.NotEqual(t, first.Root, second.Root)
	a, errs := l.join(t, t.Context(), []mapEnv{l.task(1, 2), l.task(1, 2)})
	require.NoError(t, errors.Join(errs...))
	assert.ElementsMatch(t, []string{first.Job, second.Job}, []string{a[0].Job, a[1].Job})
}

func TestSlurmNoRoot(t *testing.T) {
	l := newLab(t)
	l.makeKey(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("out of patience")) })
	_, errs := l.join(t, ctx, []mapEnv{l.task(2, 3), l.task(2, 3).with("SLURM_STEP_NODELIST", "x[1-2]")})
	require.ErrorContains(t, errs[0], "bootstrap: slurm: rank 2 on n2 cannot reach rank 0 on n1: out of patience; tried 127.0.0.1 port 2")
	require.ErrorContains(t, errs[0], "connection refused")
	require.ErrorContains(t, errs[1], "tried node x1: lookup x1: no such host")
}

func (l *lab) makeKey(t *testing.T) {
	_, err := makeKeyFile(t.Context(), filepath.Join(l.home, ".config/ame/key"))
	require.NoError(t, err)
}

func TestSlurmCancelled(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errs := l.join(t, ctx, []mapEnv{l.task(1, 2)})
	require.ErrorIs(t, errs[0], context.Canceled)
}

func TestSlurmDetect(t *testing.T) {
	l := newLab(t)
	for name, test := range map[string]struct {
		env mapEnv
		err string
	}{
		"task":         {l.task(1, 2), ""},
		"batch script": {l.task(0, 2).without("SLURM_STEP_ID"), "not a task of a Slurm step: SLURM_STEP_ID is not set"},
		"interactive":  {l.task(0, 2).with("SLURM_STEP_ID", "4294967290"), `not a task of a Slurm step: SLURM_STEP_ID="4294967290": larger than 4294967279`},
		"broken":       {l.task(0, 2).with("SLURM_STEP_NODELIST", "n["), `slurm: SLURM_STEP_NODELIST="n[": hostlist "n[": column 2: [ without ] after it`},
	} {
		err := l.method().Detect(test.env.lookup)
		if test.err == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, test.err, name)
		assert.Equal(t, name != "broken", errors.Is(err, ErrNotDetected))
	}
}

func TestSlurmPorts(t *testing.T) {
	sequence := func(env mapEnv, changes ...string) []int {
		l := lab{cluster: "lab"}
		step, err := slurm.StepFromEnv(l.task(0, 2).with(changes...).lookup)
		require.NoError(t, err)
		ports, err := slurmPorts(env.lookup, step)
		require.NoError(t, err)
		assert.Equal(t, len(ports.list), len(slices.Compact(slices.Sorted(slices.Values(ports.list)))), "no port twice")
		return ports.list
	}
	plain := sequence(nil)
	assert.Len(t, plain, 8)
	for _, port := range plain {
		assert.True(t, 20000 <= port && port < 30000, port)
	}
	assert.Equal(t, plain, sequence(nil, "SLURM_PROCID", "1"), "the same on all ranks")
	for _, change := range []string{"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT", "SLURM_CLUSTER_NAME"} {
		assert.NotEqual(t, plain, sequence(nil, change, "5"), change)
	}
	reserved := []string{"SLURM_STEP_RESV_PORTS", "20000,20097-20200"}
	assert.Equal(t, append([]int{20000, 20097, 20098, 20099, 20100, 20101, 20102, 20103}, plain...), sequence(nil, reserved...))
	assert.Equal(t, []int{20097, 20098}, sequence(mapEnv{"AME_PORT_RANGE": "20090-20098"}, reserved...)[:2])
	assert.ElementsMatch(t, []int{5000, 5001, 5002}, sequence(mapEnv{"AME_PORT_RANGE": "5000-5002"}))
	_, err := slurmPorts(mapEnv{"AME_PORT_RANGE": "x"}.lookup, &slurm.Step{})
	require.Error(t, err)
}

func TestSlurmNoFreePort(t *testing.T) {
	l := newLab(t)
	listener, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer listener.Close()
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	_, errs := l.join(t, t.Context(), []mapEnv{l.task(0, 4).with("AME_PORT_RANGE", port)})
	require.ErrorContains(t, errs[0], "AME_PORT_RANGE="+port)
	require.ErrorContains(t, errs[0], "makes every rank use other ports")
}

func TestSlurmInvitationFits(t *testing.T) {
	world := World{Size: 2, Key: NewKey(), Job: strings.Repeat("j", 140), Host: "n1"}
	for i := range 200 {
		world.Root = append(world.Root, fmt.Sprintf("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:%x]:20000", i))
	}
	text, err := slurmInvitation(world)
	require.NoError(t, err)
	var other World
	other.Size = 2
	require.NoError(t, other.accept(string(text)))
	assert.Equal(t, world.Root[:len(other.Root)], other.Root)
	assert.Greater(t, len(other.Root), 20)

	world.Host = strings.Repeat("h", 4000)
	_, err = slurmInvitation(world)
	require.ErrorContains(t, err, "at most 3072 can be sent")
}

func TestKeyFileChecks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	good := NewKey().Encode()
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

func FuzzSlurmWire(f *testing.F) {
	hello := slurmHello{version: 1, rank: 1, size: 2}
	answer := slurmAnswer{verdict: slurmGoOn, proof: proofMunge, text: "n1"}
	for _, seed := range [][]byte{hello.appendTo(nil), answer.appendTo(nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= slurmHelloSize {
			if h, err := parseSlurmHello([slurmHelloSize]byte(b)); err == nil {
				if again, _ := parseSlurmHello([slurmHelloSize]byte(h.appendTo(nil))); again != h {
					t.Fatalf("%v becomes %v", h, again)
				}
			}
		}
		if a, err := readSlurmAnswer(strings.NewReader(string(b))); err == nil {
			if again, err := readSlurmAnswer(strings.NewReader(string(a.appendTo(nil)))); err != nil || again.text != a.text {
				t.Fatalf("%v becomes %v: %v", a, again, err)
			}
		}
	})
}
