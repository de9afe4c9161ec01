package main

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/alive"
	"github.com/dlp-mpi/dlp-go/test/terminal"
)

func TestControlC(t *testing.T) {
	job := alive.New(t)
	cmd := command(t, with(ranks("hold", job.Path, "0"), "-n", "2")...)
	person := terminal.Start(t, cmd)
	job.Wait(t, 2)
	person.WriteString("\x03")
	cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	job.Gone(t)
}

// Without --pty no rank reads the terminal; with it one rank has it whole.
func TestPty(t *testing.T) {
	const script = `test -t 0 && test -t 1 && printf "name? " && read name && echo "rank $AME_RANK: $name"; exit 0`
	cmd := command(t, "-n", "2", "--pty", "1", "/bin/sh", "-c", script)
	person := terminal.Start(t, cmd)
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
	terminal.Start(t, cmd)
	require.NoError(t, cmd.Wait())
}

// The progress of a loop is on the terminal's last line while output scrolls
// above, and nothing of it in what the ranks print.
func TestProgressBar(t *testing.T) {
	cmd := command(t, with(ranks("loop", "40"), "-n", "3")...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	person := terminal.Start(t, cmd)
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
	text, _ := io.ReadAll(terminal.Start(t, cmd)) // the error is that nobody has the terminal any more
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
