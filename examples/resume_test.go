package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// resume is the example in a folder of its own.
type resume struct{ bin, folder string }

func (r *resume) command(t *testing.T, program, arguments string) (cmd *exec.Cmd, out *bytes.Buffer) {
	cmd = exec.CommandContext(t.Context(), filepath.Join(r.bin, program), strings.Fields(arguments)...)
	for i, a := range cmd.Args {
		if a == "resume" {
			cmd.Args[i] = filepath.Join(r.bin, a)
		}
	}
	cmd.Dir, cmd.Env = r.folder, mpi.Environ()
	out = new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// lines are those of the results, sorted.
func (r *resume) lines() []string {
	text, _ := os.ReadFile(filepath.Join(r.folder, "resume.txt"))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(lines)
	return lines
}

// interrupt starts a program, and interrupts it when it has results.
func (r *resume) interrupt(t *testing.T, signal syscall.Signal, program, arguments string) (status int, out string) {
	require.NoError(t, os.RemoveAll(filepath.Join(r.folder, "resume.txt")))
	cmd, text := r.command(t, program, arguments)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(r.lines()) > 10 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(signal))
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), text.String()
}

// However often it is interrupted, and whatever number of ranks it goes on with,
// the results are those of a run that was not.
func TestResume(t *testing.T) {
	deadline.Extend(t, 3*time.Minute)
	bin := mpi.Ameexec(t, "examples/resume")
	whole := resume{bin, t.TempDir()}
	cmd, out := whole.command(t, "ameexec", "-n 3 resume -blocks 200")
	require.NoError(t, cmd.Run(), "%s", out)
	assert.Contains(t, out.String(), "200 of 200 blocks are done, 0 of them by earlier starts")
	want := whole.lines()
	require.Len(t, want, 200)

	r := resume{bin, t.TempDir()}
	status, text := r.interrupt(t, syscall.SIGTERM, "ameexec", "-n 3 resume -blocks 200 -pause 100ms")
	assert.Equal(t, 75, status, text)
	assert.Regexp(t, `(?m)^\d+ of 200 blocks are done, 0 of them by earlier starts$`, text)
	assert.Regexp(t, `resume: rank 0 on \S+: dlp: map: rank 0: stopped as asked, not done: items `, text)

	status, text = r.interrupt(t, syscall.SIGKILL, "resume", "-blocks 200 -pause 100ms")
	assert.Equal(t, -1, status, text)

	cmd, out = r.command(t, "ameexec", "-n 4 resume -blocks 200")
	require.NoError(t, cmd.Run(), "%s", out)
	assert.Regexp(t, `200 of 200 blocks are done, [1-9]\d+ of them by earlier starts`, out.String())
	assert.NotContains(t, out.String(), "200 of them")
	assert.Equal(t, want, r.lines())

	cmd, out = r.command(t, "ameexec", "-n 2 resume -blocks 200")
	require.NoError(t, cmd.Run(), "%s", out)
	assert.Contains(t, out.String(), "200 of 200 blocks are done, 200 of them by earlier starts")
	assert.Equal(t, want, r.lines())
}
