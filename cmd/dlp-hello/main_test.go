package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/pmi"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// asProgram is the variable that makes the test binary the program.
const asProgram = "HELLO_TEST_RUN"

// noStdout is the variable that lets nothing be written to stdout.
const noStdout = "HELLO_TEST_NO_STDOUT"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if os.Getenv(noStdout) != "" {
			var err error
			if os.Stdout, err = os.Open(os.DevNull); err != nil { // for reading
				panic(err)
			}
		}
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// process is a rank of a job.
type process struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

// start starts the program. extra is added to an environment without a launcher.
func start(t *testing.T, extra []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	for _, variable := range os.Environ() {
		prefix, _, _ := strings.Cut(variable, "_")
		switch prefix {
		case "AME", "PMI", "PMIX", "SLURM", "OMPI", "MPI", "FLUX", "PALS", "MV2":
		default:
			p.Env = append(p.Env, variable)
		}
	}
	p.Env = append(p.Env, asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	p.Env = append(p.Env, extra...)
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	return p
}

// run runs the program alone and returns its exit status.
func run(t *testing.T, extra []string, args ...string) (p *process, status int) {
	t.Helper()
	p = start(t, extra, args...)
	require.NoError(t, p.Start())
	return p, p.status(t)
}

// status waits for the process and returns its exit status, 128+n for a signal.
func (p *process) status(t *testing.T) int {
	t.Helper()
	if err := p.Wait(); err != nil {
		require.IsType(t, (*exec.ExitError)(nil), err)
	}
	ws := p.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// startRank starts a rank of a PMI-1 job, and returns the launcher's end of its
// connection.
func startRank(t *testing.T, rank, size int, args ...string) (*process, net.Conn) {
	t.Helper()
	conn, child, err := pmi.Pair()
	require.NoError(t, err)
	p := start(t, []string{"PMI_FD=3", "PMI_RANK=" + strconv.Itoa(rank), "PMI_SIZE=" + strconv.Itoa(size)}, args...)
	p.ExtraFiles = []*os.File{child}
	require.NoError(t, p.Start())
	require.NoError(t, child.Close())
	return p, conn
}

// job runs the program on several ranks under a PMI-1 launcher. All of them
// must end well.
func job(t *testing.T, size int, args ...string) []*process {
	t.Helper()
	server, err := pmi.NewServer(pmi.Config{Job: "kvs_0", Nodes: make([]int, size)})
	require.NoError(t, err)
	ranks, conns := make([]*process, size), make([]net.Conn, size)
	for rank := range ranks {
		ranks[rank], conns[rank] = startRank(t, rank, size, args...)
	}
	var serving sync.WaitGroup
	serving.Go(func() { assert.NoError(t, server.Serve(t.Context(), conns)) })
	defer serving.Wait()
	for rank, p := range ranks {
		assert.Zero(t, p.status(t), "rank %d: %s", rank, &p.stderr)
		assert.Empty(t, p.stderr.String(), "rank %d", rank)
	}
	return ranks
}

func TestExitStatus(t *testing.T) {
	for name, test := range map[string]struct {
		extra  []string
		args   []string
		status int
		says   string
	}{
		"good":                 {},
		"help":                 {args: []string{"--help"}},
		"version":              {args: []string{"--version"}},
		"no such flag":         {args: []string{"--nice"}, status: 2, says: "-nice; see dlp-hello --help"},
		"value of a switch":    {args: []string{"--json=x"}, status: 2, says: "--help"},
		"argument":             {args: []string{"--json", "world"}, status: 2, says: `unexpected argument "world"`},
		"broken environment":   {extra: []string{"AME_RANK=x", "AME_SIZE=2"}, status: 1, says: `AME_RANK="x"`},
		"no such method":       {extra: []string{"AME_BOOTSTRAP=x"}, status: 1, says: "AME_VERBOSE=1 prints"},
		"bad timeout":          {extra: []string{"AME_TIMEOUT=soon"}, status: 1, says: "AME_TIMEOUT"},
		"stdout cannot be had": {extra: []string{noStdout + "=1"}, status: 1, says: "bad file descriptor"},
		"no stdout for JSON":   {extra: []string{noStdout + "=1"}, args: []string{"--json"}, status: 1, says: "bad file descriptor"},
	} {
		t.Run(name, func(t *testing.T) {
			p, status := run(t, test.extra, test.args...)
			assert.Equal(t, test.status, status)
			if test.status == 0 {
				assert.Empty(t, p.stderr.String())
				assert.NotEmpty(t, p.stdout.String())
				return
			}
			assert.Regexp(t, "^dlp-hello: .*\n$", p.stderr.String())
			assert.Contains(t, p.stderr.String(), test.says)
			assert.Empty(t, p.stdout.String())
		})
	}
}

// A batch script that forgot srun gets a whole report, status 1, and the remedy.
func TestForgottenSrun(t *testing.T) {
	extra := []string{"SLURM_JOB_ID=7", "SLURM_NTASKS=8"}
	for _, args := range [][]string{nil, {"--ordered"}, {"--json"}} {
		p, status := run(t, extra, args...)
		assert.Equal(t, 1, status)
		assert.Contains(t, p.stderr.String(), "dlp-hello: 8 ranks were announced and 1 came: SLURM_NTASKS=8 but this is rank 0 of 1")
		assert.Contains(t, p.stderr.String(), "did you forget srun?")
		assert.Contains(t, p.stdout.String(), "single")
	}
}

// Ctrl-C during the start ends it, in good order.
func TestSignal(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p, launcher := startRank(t, 0, 2)
		// Its first word shows that it is in Init; it waits for an answer.
		_, err := bufio.NewReader(launcher).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, p.Process.Signal(s))
		assert.Equal(t, 128+int(s), p.status(t))
		assert.Contains(t, p.stderr.String(), "got a signal: "+s.String())
		assert.NoError(t, launcher.Close())
	}
}
