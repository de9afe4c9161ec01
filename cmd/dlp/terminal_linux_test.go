package main

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/terminal"
)

// On a terminal there is a bar below the output, and it is gone at the end.
func TestProgressOnATerminal(t *testing.T) {
	cmd := dlpMap(t, "-q", "--progress", "-j1", "--shell", "sleep 0.5; echo out {}", ":::", "1", "2")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	screen := terminal.Start(t, cmd)
	text, _ := io.ReadAll(screen) // until the terminal is gone, which is an error
	require.NoError(t, cmd.Wait())
	assert.Contains(t, string(text), "[###############...............] 1/2 (50%), ")
	assert.Contains(t, string(text), "\r\x1b[Kout 2\r\n")
	last := text[strings.LastIndex(string(text), "\n")+1:]
	assert.True(t, len(last) == 0 || strings.HasSuffix(string(last), "\r\x1b[K"), "%q", last)
}

// Who gives no items is told where they come from; Ctrl-C twice ends what runs.
func TestAtATerminal(t *testing.T) {
	cmd := dlpMap(t, "sh", "-c", "echo begun; trap '' TERM; sleep 1000 & wait; wait", "sh", "{}")
	cmd.Args = append(cmd.Args[:3], append([]string{"--line-buffer", "-j1"}, cmd.Args[3:]...)...)
	person := terminal.Start(t, cmd)
	screen := bufio.NewReader(person)
	see := func(want string) {
		t.Helper()
		for {
			line, err := screen.ReadString('\n')
			require.NoError(t, err, want)
			if strings.Contains(line, want) {
				return
			}
		}
	}
	see("dlp map: items are read from this terminal, one a line; Ctrl-D ends them")
	person.WriteString("a\n")
	see("begun")
	person.WriteString("\x03")
	see("dlp map: asked to stop: nothing more is started, and what runs has 20s to end; a second signal kills it")
	person.WriteString("\x03")
	cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
}
