package launch

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// family is a shell command that leaves processes: in its process group without
// its environment, and in another session. All hold its stdout, and say so.
const family = `env -i sh -c 'echo group; sleep 1000' & setsid sh -c 'echo session; sleep 1000' & echo first; sleep 1000`

// startFamily starts the family under a guard; what it prints goes to stdout.
func startFamily(g *Guard, stdout *os.File) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	pid, err = Start("/bin/sh", []string{"sh", "-c", family}, &syscall.ProcAttr{
		Env: append(os.Environ(), g.Mark(1)), Files: []uintptr{null.Fd(), stdout.Fd(), null.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err == nil {
		g.Hold(3, pid)
	}
	return pid, err
}

// guarded is a process that has started a family and a guard, and then is killed
// or ends the guard.
func guarded(how string) {
	g, err := StartGuard(os.TempDir())
	if err == nil {
		_, err = startFamily(g, os.Stdout)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	io.ReadFull(os.Stdin, make([]byte, 1))
	if how == "killed" {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	g.End()
	os.Exit(0)
}

func TestGuardLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		need.Unable(t, "only Linux shows the environment of processes")
	}
	need.Program(t, "setsid")
	for _, how := range []string{"killed", "ended"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "guarded", how)
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, write, err := os.Pipe()
			require.NoError(t, err)
			defer stdout.Close()
			cmd.Stdout = write
			require.NoError(t, cmd.Start())
			write.Close()
			said := make([]byte, len("first\ngroup\nsession\n"))
			_, err = io.ReadFull(stdout, said) // in any order
			require.NoError(t, err)
			assert.ElementsMatch(t, []string{"first", "group", "session"}, strings.Fields(string(said)))
			_, err = stdin.Write([]byte{0})
			require.NoError(t, err)
			rest, err := io.ReadAll(stdout) // until nobody holds it
			require.NoError(t, err)
			assert.Empty(t, string(rest))
			cmd.Wait()
		})
	}
}

// The guard of a process inside another one's is told from its own.
func TestGuardsInGuards(t *testing.T) {
	t.Setenv(MarkVariable, "outer")
	g, err := StartGuard(t.TempDir())
	require.NoError(t, err)
	defer g.End()
	name, value, _ := strings.Cut(g.Mark(5), "=")
	assert.Equal(t, MarkVariable, name)
	g.Marked(5, func(pid int) { t.Errorf("process %d is marked", pid) })
	assert.Equal(t, []string{"outer", g.mark, g.mark + "-5"}, strings.Fields(value))
}

func TestUnnamed(t *testing.T) {
	dir := t.TempDir()
	for name, open := range map[string]func(string) (*os.File, error){"Unnamed": Unnamed, "removed": removed} {
		file, err := open(dir)
		require.NoError(t, err, name)
		_, err = file.Write([]byte("text"))
		require.NoError(t, err)
		text := make([]byte, 4)
		_, err = file.ReadAt(text, 0)
		require.NoError(t, err)
		assert.Equal(t, "text", string(text))
		require.NoError(t, file.Close())
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries)

		_, err = open(dir + "/absent")
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}
