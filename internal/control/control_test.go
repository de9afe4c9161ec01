package control

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/test/controltest"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

// launch is ameexec with ranks in this process.
func launch(t *testing.T, size int) (*Server, []fakeenv.Map) {
	server := New(Config{Job: "test", Host: "here", Size: size, Apps: []int{0, 1}})
	return server, controltest.Launch(t, server, size)
}

// joined is a rank that has come through its session.
type joined struct {
	*Client
	text string
}

// join is one session of the program of one rank, as package bootstrap has it.
func join(ctx context.Context, env fakeenv.Map) (joined, error) {
	rank, size, err := environ.RankAndSize(env.Lookup, "AME_RANK", "AME_SIZE")
	if err != nil {
		return joined{}, err
	}
	client, err := Join(ctx, env.Lookup, rank, size)
	if err != nil {
		return joined{}, err
	}
	j := joined{Client: client}
	switch {
	case size == 1:
	case rank == 0:
		j.text = client.Job + " is here"
		err = client.Publish(ctx, j.text, nil)
	default:
		j.text, err = client.Fetch(ctx)
	}
	if err != nil {
		client.Close(false)
	}
	return j, err
}

// joinAll runs one session of every rank.
func joinAll(t *testing.T, envs []fakeenv.Map) []joined {
	ranks := make([]joined, len(envs))
	errs := make([]error, len(envs))
	var all sync.WaitGroup
	for rank, env := range envs {
		all.Go(func() { ranks[rank], errs[rank] = join(t.Context(), env) })
	}
	all.Wait()
	for rank := range envs {
		require.NoError(t, errs[rank])
	}
	t.Cleanup(func() {
		for _, rank := range ranks {
			rank.Close(true)
		}
	})
	return ranks
}

func TestSessions(t *testing.T) {
	_, envs := launch(t, 4)
	first, second := joinAll(t, envs), joinAll(t, envs)
	for rank := range envs {
		seat := Seat{Job: "test-1", Host: "here", LocalRank: rank, LocalSize: 4}
		if rank == 1 {
			seat.App = 1
		}
		assert.Equal(t, seat, first[rank].Seat)
		assert.Equal(t, "test-1 is here", first[rank].text)
		assert.Equal(t, "test-2", second[rank].Job)
		assert.Equal(t, "test-2 is here", second[rank].text)
	}
}

func TestAlone(t *testing.T) {
	_, envs := launch(t, 1)
	assert.Equal(t, "test-1", joinAll(t, envs)[0].Job)
}

// A rank may be two programs ahead; the sessions still match by number.
func TestRootFirst(t *testing.T) {
	_, envs := launch(t, 2)
	for range 2 {
		root, err := join(t.Context(), envs[0])
		require.NoError(t, err)
		defer root.Close(true)
	}
	for _, job := range []string{"test-1", "test-2"} {
		other, err := join(t.Context(), envs[1])
		require.NoError(t, err)
		assert.Equal(t, job, other.Job)
		require.NoError(t, other.Close(true))
	}
}

func TestCancelled(t *testing.T) {
	server, envs := launch(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := join(ctx, envs[1])
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := join(ctx, envs[1])
		waiting <- err
	}()
	waitJoined(server, 1, 1)
	cancel()
	err = <-waiting
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "rank 1")
}

func TestRankEnded(t *testing.T) {
	server, envs := launch(t, 3)
	waiting := make(chan error)
	go func() {
		_, err := join(t.Context(), envs[1])
		waiting <- err
	}()
	waitJoined(server, 1, 1)
	server.Exited(0, "exit status 0")
	const why = "rank 0 has ended (exit status 0) and will not join: it has started 0 programs of the job, this is number 1"
	assert.ErrorContains(t, <-waiting, why)
	_, err := join(t.Context(), envs[2])
	assert.ErrorContains(t, err, why)
}

// A rank that ended because another one had is not named in its place.
func TestNamesTheFirst(t *testing.T) {
	control, envs := launch(t, 3)
	control.Exited(2, "exit status 0")
	control.Exited(1, "exit status 1")
	_, err := join(t.Context(), envs[0])
	assert.ErrorContains(t, err, "rank 2 has ended (exit status 0) and will not join")
}

// Rank 0 listens already when a rank ends that should have come.
func TestTellsRankZero(t *testing.T) {
	server, envs := launch(t, 3)
	root, err := join(t.Context(), envs[0])
	require.NoError(t, err)
	defer root.Close(true)
	server.Exited(2, "exit status 0")
	<-root.Doomed().Done()
	assert.ErrorContains(t, context.Cause(root.Doomed()), "rank 2 has ended (exit status 0) and will not join")
}

// A program that ends after it has joined is missed by all: by rank 0, and by
// those that have the address.
func TestTellsAllThatOneHasFailed(t *testing.T) {
	for _, failing := range []int{0, 1, 2} {
		_, envs := launch(t, 3)
		var ranks []joined
		for _, env := range envs {
			rank, err := join(t.Context(), env)
			require.NoError(t, err)
			ranks = append(ranks, rank)
		}
		require.NoError(t, ranks[failing].Close(false))
		for rank, j := range ranks {
			if rank != failing {
				<-j.Doomed().Done()
				assert.ErrorContains(t, context.Cause(j.Doomed()), fmt.Sprintf("rank %d has ended its start before all ranks were connected", failing))
				require.NoError(t, j.Close(false))
			}
		}
	}
}

// Whoever is connected knows that all are, so one that ends then is not missed.
func TestLeavingAfterUp(t *testing.T) {
	server, envs := launch(t, 3)
	ranks := joinAll(t, envs)
	require.NoError(t, ranks[2].Close(true))
	server.Exited(2, "exit status 0")
	require.NoError(t, ranks[1].Close(true))
	_, err := join(t.Context(), envs[1])
	assert.ErrorContains(t, err, "rank 2 has ended (exit status 0) and will not join")
	assert.NoError(t, ranks[0].Doomed().Err())
}

// waitJoined returns when rank's program has joined its n-th session.
func waitJoined(server *Server, rank, n int) {
	for {
		server.mu.Lock()
		joined := server.joined[rank]
		server.mu.Unlock()
		if joined >= n {
			return
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 500})
	}
}

func TestWrongEnvironment(t *testing.T) {
	_, envs := launch(t, 3)
	_, err := join(t.Context(), envs[1].With("AME_RANK", "2"))
	assert.ErrorContains(t, err, "AME_RANK=2, but ameexec started this process as rank 1")
	_, err = join(t.Context(), envs[1].With("AME_SIZE", "7"))
	assert.ErrorContains(t, err, "AME_SIZE=7, but ameexec started 3 ranks")
}

func TestDescriptorDead(t *testing.T) {
	regular, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer regular.Close()
	ours, theirs, err := socketPair()
	require.NoError(t, err)
	defer ours.Close()
	theirs.Close()
	tcp, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer syscall.Close(tcp)

	for name, test := range map[string]struct {
		fd  int
		err string
	}{
		"closed":        {1 << 20, "bad file descriptor"},
		"other file":    {int(regular.Fd()), "is not a socket"},
		"other socket":  {tcp, "is not a Unix stream socket"},
		"launcher gone": {int(ours.Fd()), "broken pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			env := fakeenv.Map{"AME_RANK": "1", "AME_SIZE": "2", "AME_CONTROL_FD": strconv.Itoa(test.fd)}
			_, err := join(t.Context(), env)
			require.ErrorContains(t, err, "AME_CONTROL_FD="+strconv.Itoa(test.fd))
			assert.ErrorContains(t, err, test.err)
			assert.ErrorContains(t, err, "AME_BOOTSTRAP=single")
		})
	}
}

// rawSession opens a session of a program that follows no protocol.
func rawSession(t *testing.T, env fakeenv.Map) net.Conn {
	conn, err := openSession(env.Lookup)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestHostileProgram(t *testing.T) {
	for name, test := range map[string]struct{ sent, answer string }{
		"garbage":       {"GET / HTTP/1.1\r\n", "no message"},
		"wrong op":      {`{"op":"publish"}` + "\n", `got \"publish\"`},
		"wrong version": {`{"op":"join","version":9,"rank":1}` + "\n", "speaks version 9"},
		"wrong rank":    {`{"op":"join","version":2,"rank":0}` + "\n", "AME_RANK=0, but"},
		"endless line":  {strings.Repeat("x", 1<<20), "line longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, envs := launch(t, 2)
			conn := rawSession(t, envs[1])
			writing := make(chan struct{})
			go func() {
				defer close(writing)
				conn.Write([]byte(test.sent))
			}()
			answer, _ := io.ReadAll(conn)
			assert.Contains(t, string(answer), `"op":"error"`)
			assert.Contains(t, string(answer), test.answer)
			conn.Close()
			<-writing
			joinAll(t, envs) // the job is none the worse
		})
	}
}

func TestEarlyClose(t *testing.T) {
	_, envs := launch(t, 2)
	for range 2 * maxOpenSessions {
		rawSession(t, envs[1]).Close()
	}
	fd, err := Descriptor(envs[1].Lookup)
	require.NoError(t, err)
	require.NoError(t, syscall.Sendmsg(fd, []byte("no descriptor"), nil, nil, sendFlags))
	for {
		if ranks, err := tryJoin(t, envs); err == nil { // the slots free as the launcher sees them close
			ranks[0].Close(true)
			ranks[1].Close(true)
			return
		}
	}
}

func tryJoin(t *testing.T, envs []fakeenv.Map) ([]joined, error) {
	worker, failed := make(chan joined, 1), make(chan error, 1)
	go func() {
		j, err := join(t.Context(), envs[1])
		failed <- err
		worker <- j
	}()
	root, err := join(t.Context(), envs[0])
	require.NoError(t, err)
	if err = <-failed; err != nil {
		root.Close(false)
	}
	return []joined{root, <-worker}, err
}

// A launcher that misbehaves must not crash or hang a program, nor show the key.
func TestHostileLauncher(t *testing.T) {
	const world = `{"op":"world","version":2,"rank":1,"size":7}` + "\n"
	for name, test := range map[string]struct{ sent, err string }{
		"hangs up":      {"", "EOF"},
		"half a line":   {`{"op":"wor`, "unexpected EOF"},
		"garbage":       {"hello\n", "no message"},
		"other size":    {world, "AME_SIZE=2, but ameexec started 7 ranks"},
		"other version": {`{"op":"world","version":3}` + "\n", "ameexec speaks version 3, this program version 2"},
		"endless line":  {strings.Repeat("x", 1<<20), "line longer than 65536 bytes"},
		"refuses":       {`{"op":"error","why":"no"}` + "\n", "AME_CONTROL_FD: no"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs, err := socketPair()
			require.NoError(t, err)
			conn, err := net.FileConn(ours)
			require.NoError(t, err)
			ours.Close()
			defer theirs.Close()
			served := make(chan struct{})
			go func() {
				defer close(served)
				defer conn.Close()
				file, err := receiveDescriptor(conn.(*net.UnixConn))
				if err != nil {
					return
				}
				session, err := net.FileConn(file)
				file.Close()
				if err != nil {
					return
				}
				newReader(session).ReadSlice('\n')
				session.Write([]byte(test.sent))
				session.Close()
			}()
			env := fakeenv.Map{"AME_RANK": "1", "AME_SIZE": "2", "AME_CONTROL_FD": strconv.Itoa(int(theirs.Fd()))}
			_, err = join(t.Context(), env)
			assert.ErrorContains(t, err, test.err)
			<-served
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"op":"world","version":2,"rank":1,"size":2}` + "\n")
	f.Add("\n")
	f.Add(`{"op":"error","why":"x"}` + "\n")
	f.Fuzz(func(t *testing.T, line string) {
		m, err := read(newReader(strings.NewReader(line)), "world")
		if err == nil && m.Op != "world" {
			t.Fatal(m)
		}
	})
}
