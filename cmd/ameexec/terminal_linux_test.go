package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// startAtTerminal starts a command at a terminal of its own and returns what a
// person would hold: the keyboard and the screen.
func startAtTerminal(t *testing.T, cmd *exec.Cmd) *os.File {
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { person.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)) // pts(4)
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	defer terminal.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	return person
}

func TestControlC(t *testing.T) {
	job := newAlive(t)
	cmd := command(t, with(ranks("hold", job.path, "0"), "-n", "2")...)
	person := startAtTerminal(t, cmd)
	job.wait(t, 2)
	person.WriteString("\x03")
	cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	job.gone(t)
}

// Without --pty no rank reads the terminal; with it one rank has it whole.
func TestPty(t *testing.T) {
	const script = `test -t 0 && test -t 1 && printf "name? " && read name && echo "rank $AME_RANK: $name"; exit 0`
	cmd := command(t, "-n", "2", "--pty", "1", "/bin/sh", "-c", script)
	person := startAtTerminal(t, cmd)
	screen := bufio.NewReader(person)
	prompt, err := screen.ReadString('?')
	require.NoError(t, err)
	assert.Equal(t, "name?", prompt)
	person.WriteString("bob\n")
	for {
		line, err := screen.ReadString('\n')
		require.NoError(t, err)
		if strings.HasPrefix(line, "rank ") {
			assert.Equal(t, "rank 1: bob\r\n", line)
			break
		}
	}
	require.NoError(t, cmd.Wait())

	cmd = command(t, "-n", "2", "/bin/sh", "-c", `test -t 0 && exit 1; read name && exit 2; exit 0`)
	startAtTerminal(t, cmd)
	require.NoError(t, cmd.Wait())
}

// The progress of a loop is on the terminal's last line while output scrolls
// above, and nothing of it in what the ranks print.
func TestProgressBar(t *testing.T) {
	cmd := command(t, with(ranks("loop", "40"), "-n", "3")...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	person := startAtTerminal(t, cmd)
	text, _ := io.ReadAll(person) // the error is that nobody has the terminal any more
	require.NoError(t, cmd.Wait())
	screen := string(text)
	assert.Regexp(t, `\[#*\.*\] items: \d+/40 \(\d+%\), [\d.]+/s, \S+ left, \d rank.*\r`, screen)
	assert.Contains(t, screen, "\x1b[J")
	assert.Regexp(t, `\[#{30}\] items: 40/40 \(100%\), [\d.]+/s, took \S+\r\n`, screen)
	assert.Equal(t, 40, strings.Count(screen, "0 done\r\n"), "a slow rank loses the beginning of its line to others")
}

// A terminal that cannot draw gets lines.
func TestProgressOnADumbTerminal(t *testing.T) {
	cmd := command(t, with(ranks("loop", "10"), "-n", "2")...)
	cmd.Env = append(cmd.Env, "TERM=dumb")
	text, _ := io.ReadAll(startAtTerminal(t, cmd)) // the error is that nobody has the terminal any more
	require.NoError(t, cmd.Wait())
	assert.NotContains(t, string(text), "\x1b")
	assert.Regexp(t, `(?m)^items: 10/10 \(100%\), [\d.]+/s, took \S+\r$`, string(text))
}

// Where no terminal is, the rank writes a line into the log, and no bar.
func TestProgressInALog(t *testing.T) {
	r := run(t, with(ranks("loop", "10"), "-n", "2")...)
	assert.Equal(t, 0, r.status)
	assert.Regexp(t, `^items: 10/10 \(100%\), [\d.]+/s, took \S+\n$`, r.stderr)
	assert.NotContains(t, r.stdout, "\x1b")
}
