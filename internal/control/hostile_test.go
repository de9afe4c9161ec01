package control

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

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
