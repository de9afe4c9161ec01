package bootstrap

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// launch opens the control channel of a job in this process and returns the
// environment of each rank. The ranks' descriptors close with the test.
func launch(t *testing.T, size int) (*Control, []mapEnv) {
	control := NewControl(ControlConfig{Job: "test", Host: "here", Size: size})
	var files []*os.File
	envs := make([]mapEnv, size)
	for rank := range size {
		file, err := control.Child(rank)
		require.NoError(t, err)
		files = append(files, file)
		envs[rank] = mapEnv{}
		for _, pair := range control.Environ(rank, int(file.Fd())) {
			name, value, _ := strings.Cut(pair, "=")
			envs[rank][name] = value
		}
	}
	t.Cleanup(func() {
		for _, file := range files {
			file.Close()
		}
		assert.NoError(t, control.Close())
	})
	return control, envs
}

// joinAll runs one session of every rank.
func joinAll(t *testing.T, envs []mapEnv) []*World {
	worlds := make([]*World, len(envs))
	errs := make([]error, len(envs))
	var ranks sync.WaitGroup
	for rank, env := range envs {
		ranks.Go(func() { worlds[rank], _, errs[rank] = Find(t.Context(), env.lookup) })
	}
	ranks.Wait()
	for rank := range envs {
		require.NoError(t, errs[rank])
		t.Cleanup(worlds[rank].abandon)
	}
	return worlds
}

func TestControlSessions(t *testing.T) {
	_, envs := launch(t, 4)
	first, second := joinAll(t, envs), joinAll(t, envs)
	for rank, world := range first {
		assert.Equal(t, "ame", world.Method)
		assert.Equal(t, rank, world.Rank)
		assert.Equal(t, 4, world.Size)
		assert.Equal(t, rank, world.LocalRank)
		assert.Equal(t, 4, world.LocalSize)
		assert.Equal(t, "here", world.Host)
		assert.Equal(t, "test-1", world.Job)
		assert.Equal(t, first[0].Key.Bytes(), world.Key.Bytes())
		assert.Equal(t, first[0].Root, world.Root)
		assert.Equal(t, rank == 0, world.Listener != nil)
		assert.Equal(t, "test-2", second[rank].Job)
		assert.Equal(t, second[0].Root, second[rank].Root)
	}
	assert.NotEqual(t, first[0].Root, second[0].Root)
	assert.NotEqual(t, first[0].Key.Bytes(), second[0].Key.Bytes())
	assert.Equal(t, []string{first[0].Listener.Addr().String()}, first[0].Root)
}

func TestControlAlone(t *testing.T) {
	_, envs := launch(t, 1)
	world := joinAll(t, envs)[0]
	assert.Equal(t, "test-1", world.Job)
	assert.Nil(t, world.Listener)
	assert.Empty(t, world.Key.Bytes())
}

// A rank may be two programs ahead; the sessions still match by number.
func TestControlRootFirst(t *testing.T) {
	_, envs := launch(t, 2)
	for range 2 {
		world, _, err := Find(t.Context(), envs[0].lookup)
		require.NoError(t, err)
		defer world.abandon()
	}
	for _, job := range []string{"test-1", "test-2"} {
		world, _, err := Find(t.Context(), envs[1].lookup)
		require.NoError(t, err)
		assert.Equal(t, job, world.Job)
	}
}

func TestControlCancelled(t *testing.T) {
	_, envs := launch(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := Find(ctx, envs[1].lookup)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "rank 1 waits for rank 0 to publish its address")
}

func TestControlRankEnded(t *testing.T) {
	control, envs := launch(t, 3)
	waiting := make(chan error)
	go func() {
		_, _, err := Find(t.Context(), envs[1].lookup)
		waiting <- err
	}()
	waitJoined(control, 1)
	control.Exited(0, "exit status 0")
	const why = "rank 0 has ended (exit status 0) and will not join: it has started 0 programs of the job, this is number 1"
	assert.ErrorContains(t, <-waiting, why)
	_, _, err := Find(t.Context(), envs[2].lookup)
	assert.ErrorContains(t, err, why)
}

// A rank that ended because another one had is not named in its place.
func TestControlNamesTheFirst(t *testing.T) {
	control, envs := launch(t, 3)
	control.Exited(2, "exit status 0")
	control.Exited(1, "exit status 1")
	_, _, err := Find(t.Context(), envs[0].lookup)
	assert.ErrorContains(t, err, "rank 2 has ended (exit status 0) and will not join")
}

// Rank 0 listens already when a rank ends that should have come.
func TestControlTellsRankZero(t *testing.T) {
	control, envs := launch(t, 3)
	world, _, err := Find(t.Context(), envs[0].lookup)
	require.NoError(t, err)
	defer world.abandon()
	ctx, stop := world.Watch(t.Context())
	defer stop()
	control.Exited(2, "exit status 0")
	<-ctx.Done()
	assert.ErrorContains(t, context.Cause(ctx), "rank 2 has ended (exit status 0) and will not join")
}

func TestWatchWithoutLauncher(t *testing.T) {
	ctx, stop := new(World).Watch(t.Context())
	require.NoError(t, ctx.Err())
	stop()
	require.Error(t, ctx.Err())
}

// waitJoined returns when rank's program has joined its first session.
func waitJoined(control *Control, rank int) {
	for {
		control.mu.Lock()
		joined := control.joined[rank]
		control.mu.Unlock()
		if joined > 0 {
			return
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 500})
	}
}

func TestControlRootCannotListen(t *testing.T) {
	_, envs := launch(t, 2)
	_, _, err := Find(t.Context(), envs[0].with("AME_INTERFACE", "nosuch0").lookup)
	require.ErrorContains(t, err, `AME_INTERFACE="nosuch0" matches no address`)
	_, _, err = Find(t.Context(), envs[1].lookup)
	assert.ErrorContains(t, err, `rank 0 did not come to listen: AME_INTERFACE="nosuch0" matches no address`)
}

// Rank 0 says why it cannot listen also if it is told to terminate meanwhile,
// because the others have ended first.
func TestControlRootCancelled(t *testing.T) {
	_, envs := launch(t, 2)
	env := envs[0].with("AME_PORT_RANGE", "high")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, err := Find(ctx, func(name string) (string, bool) {
		if name == "AME_PORT_RANGE" {
			cancel()
		}
		return env.lookup(name)
	})
	assert.ErrorContains(t, err, `AME_PORT_RANGE="high" is not a range of ports`)
}

func TestControlWrongEnvironment(t *testing.T) {
	_, envs := launch(t, 3)
	_, _, err := Find(t.Context(), envs[1].with("AME_RANK", "2").lookup)
	assert.ErrorContains(t, err, "AME_RANK=2, but ameexec started this process as rank 1")
	_, _, err = Find(t.Context(), envs[1].with("AME_SIZE", "7").lookup)
	assert.ErrorContains(t, err, "AME_SIZE=7, but ameexec started 3 ranks")
}

func TestControlDescriptorDead(t *testing.T) {
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
			env := mapEnv{"AME_RANK": "1", "AME_SIZE": "2", "AME_CONTROL_FD": strconv.Itoa(test.fd)}
			_, _, err := Find(t.Context(), env.lookup)
			require.ErrorContains(t, err, "AME_CONTROL_FD="+strconv.Itoa(test.fd))
			assert.ErrorContains(t, err, test.err)
			assert.ErrorContains(t, err, "AME_BOOTSTRAP=single")
		})
	}
}

// A rank of ameexec may start another launcher, and pass on to its ranks both
// variables and descriptors.
func TestLauncherBelowAmeexec(t *testing.T) {
	_, envs := launch(t, 2)
	env := envs[0].with("PMI_FD", "99999", "PMI_RANK", "0", "PMI_SIZE", "2", "MPI_LOCALNRANKS", "2")
	require.NoError(t, ameMethod{}.Detect(env.lookup))
	for _, variable := range otherVariables {
		inner := env.with(variable, "0")
		err := ameMethod{}.Detect(inner.lookup)
		require.ErrorIs(t, err, ErrNotDetected, variable)
		assert.ErrorContains(t, err, "the launcher that has set "+variable)
		require.ErrorIs(t, pmiMethod{}.Detect(inner.lookup), ErrNotDetected, variable)
		require.NoError(t, ameMethod{}.Detect(byHand().with(variable, "0").lookup), "a launcher of the user's may itself run under one")
	}
	for _, variable := range hydraVariables {
		inner := env.with(variable, "8")
		require.ErrorIs(t, ameMethod{}.Detect(inner.lookup), ErrNotDetected, variable)
		require.NotErrorIs(t, pmiMethod{}.Detect(inner.lookup), ErrNotDetected, "hydra's own descriptor is lost")
	}
}

// rawSession opens a session of a program that follows no protocol.
func rawSession(t *testing.T, env mapEnv) net.Conn {
	conn, err := openSession(env.lookup)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestControlHostileProgram(t *testing.T) {
	for name, test := range map[string]struct{ sent, answer string }{
		"garbage":       {"GET / HTTP/1.1\r\n", "no message"},
		"wrong op":      {`{"op":"publish"}` + "\n", `got \"publish\"`},
		"wrong version": {`{"op":"join","version":9,"rank":1}` + "\n", "speaks version 9"},
		"wrong rank":    {`{"op":"join","version":1,"rank":0}` + "\n", "AME_RANK=0, but"},
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

func TestControlEarlyClose(t *testing.T) {
	_, envs := launch(t, 2)
	for range 2 * maxOpenSessions {
		rawSession(t, envs[1]).Close()
	}
	fd, err := controlDescriptor(envs[1].lookup)
	require.NoError(t, err)
	require.NoError(t, syscall.Sendmsg(fd, []byte("no descriptor"), nil, nil, sendFlags))
	for {
		if worlds, err := tryJoin(t, envs); err == nil { // the slots free as the launcher sees them close
			worlds[0].abandon()
			return
		}
	}
}

func tryJoin(t *testing.T, envs []mapEnv) ([]*World, error) {
	worker, failed := make(chan *World, 1), make(chan error, 1)
	go func() {
		world, _, err := Find(t.Context(), envs[1].lookup)
		failed <- err
		worker <- world
	}()
	root, _, err := Find(t.Context(), envs[0].lookup)
	require.NoError(t, err)
	if err = <-failed; err != nil {
		root.abandon()
	}
	return []*World{root, <-worker}, err
}

// A launcher that misbehaves must not crash or hang a program, nor show the key.
func TestControlHostileLauncher(t *testing.T) {
	const world = `{"op":"world","version":1,"rank":1,"size":2,"key":"` + "AAAA" + `"}` + "\n"
	for name, test := range map[string]struct{ sent, err string }{
		"hangs up":      {"", "EOF"},
		"half a line":   {`{"op":"wor`, "unexpected EOF"},
		"garbage":       {"hello\n", "no message"},
		"short key":     {world, "key from ameexec: decodes to 3 bytes"},
		"other version": {`{"op":"world","version":2}` + "\n", "ameexec speaks version 2, this program version 1"},
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
				newControlReader(session).ReadSlice('\n')
				session.Write([]byte(test.sent))
				session.Close()
			}()
			env := mapEnv{"AME_RANK": "1", "AME_SIZE": "2", "AME_CONTROL_FD": strconv.Itoa(int(theirs.Fd()))}
			_, _, err = Find(t.Context(), env.lookup)
			assert.ErrorContains(t, err, test.err)
			<-served
		})
	}
}

func FuzzReadControl(f *testing.F) {
	f.Add(`{"op":"world","version":1,"rank":1,"size":2}` + "\n")
	f.Add("\n")
	f.Add(`{"op":"error","why":"x"}` + "\n")
	f.Fuzz(func(t *testing.T, line string) {
		message, err := readControl(newControlReader(strings.NewReader(line)), "world")
		if err == nil {
			worldFrom(message, 1, 2)
		}
	})
}
