// Package crash kills a rank in each phase of its life, under each launcher that
// is here: the others must end soon and say which rank it was, and nothing may
// be left of the job.
package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/dlp-mpi/dlp-go/test/need"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if phase := os.Getenv(phaseVariable); phase != "" {
		os.Exit(program(phase))
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

const size = 4

// launcher is a way to start the ranks.
type launcher struct {
	name    string
	command func(ctx context.Context, t *testing.T, program string) *exec.Cmd

	// survivors says whether the launcher lets the others live, so that they
	// tell by themselves why they end.
	survivors bool

	// nameless says whether its rendezvous does not tell who is missing.
	nameless bool
}

func launchers(t *testing.T) []launcher {
	bin := mpi.Ameexec(t)
	return []launcher{
		{"ameexec", func(ctx context.Context, t *testing.T, program string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "ameexec"), "--continue", "-n", strconv.Itoa(size), program)
			cmd.Env = mpi.Environ()
			return cmd
		}, true, false},
		{"hydra", func(ctx context.Context, t *testing.T, program string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, need.Program(t, "mpiexec.hydra"), "-n", strconv.Itoa(size), program)
			cmd.Env = mpi.Environ()
			return cmd
		}, false, false},
		{"Open MPI", func(ctx context.Context, t *testing.T, program string) *exec.Cmd {
			return mpi.OpenMPI(ctx, t, "--enable-recovery", "-n", strconv.Itoa(size), program)
		}, true, true},
	}
}

// startTime is how long the ranks wait for each other.
const startTime = 25 * time.Second

func TestCrash(t *testing.T) {
	var phases []string
	for _, table := range [][]string{keys(starts), keys(collectives), keys(loops), {"close"}} {
		phases = append(phases, table...)
	}
	for _, l := range launchers(t) {
		for _, phase := range phases {
			for _, victim := range []int{0, 2} {
				if victim == 0 && (phase == "map" || collectives[phase] != nil && phase != "gather") {
					continue // it works on no item; and its loss is the same in all collectives
				}
				t.Run(fmt.Sprintf("%s/%s/%d", l.name, phase, victim), func(t *testing.T) { crash(t, l, phase, victim) })
			}
		}
	}
}

func keys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ends is what a rank says last.
var ends = regexp.MustCompile(`rank (\d) ends: (".*")`)

// crash runs one job.
func crash(t *testing.T, l launcher, phase string, victim int) {
	deadline.Extend(t, 2*time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	dir := t.TempDir()
	alive := filepath.Join(dir, "alive")
	require.NoError(t, os.WriteFile(alive, nil, 0o600))
	meet := filepath.Join(dir, "meet")
	require.NoError(t, os.Mkdir(meet, 0o700))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := l.command(ctx, t, self)
	wait := startTime
	if l.nameless && phase == "before bootstrap" {
		wait = 5 * time.Second // this job never comes up
	}
	cmd.Env = append(cmd.Env, phaseVariable+"="+phase, rankVariable+"="+strconv.Itoa(victim), aliveVariable+"="+alive,
		"AME_TIMEOUT="+wait.String(), "AME_RENDEZVOUS_DIR="+meet)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 10 * time.Second
	_ = cmd.Run() // its status differs with the launcher
	require.NoError(t, ctx.Err(), "it does not end: %s", &output)
	requireGone(t, alive)
	left, err := os.ReadDir(meet)
	require.NoError(t, err)
	if victim != 0 { // rank 0 itself removes what it has made
		assert.Empty(t, left)
	}

	said := map[int]string{}
	for _, match := range ends.FindAllStringSubmatch(output.String(), -1) {
		rank, _ := strconv.Atoi(match[1])
		said[rank], err = strconv.Unquote(match[2])
		require.NoError(t, err)
	}
	assert.NotContains(t, said, victim, "%s", &output)
	for rank := range size {
		if rank == victim || !l.survivors { // the launcher kills the others, who may miss each other
			continue
		}
		text, ok := said[rank]
		assert.True(t, ok, "rank %d has not come to its end: %s", rank, &output)
		if ok && phase != "close" && !(l.nameless && phase == "before bootstrap") {
			assert.Regexp(t, fmt.Sprintf(`rank %d\b`, victim), text, "rank %d does not say whom it misses", rank)
		}
	}
}

// requireGone waits until no process of a job is left.
func requireGone(t *testing.T, alive string) {
	file, err := os.Open(alive)
	require.NoError(t, err)
	defer file.Close()
	require.Eventually(t, func() bool {
		return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	}, 30*time.Second, 10*time.Millisecond, "processes are left")
}
