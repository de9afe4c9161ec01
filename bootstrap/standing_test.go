package bootstrap

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/internal/process"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// inherited is what a child of a rank with the variables env sees.
func inherited(env fakeenv.Map) fakeenv.Map {
	return env.With(nesting.Mark, nesting.MarkOf(env.Lookup, process.Info{PID: 1, Start: 1}))
}

func TestChildOfRankIsSingle(t *testing.T) {
	for name, env := range map[string]fakeenv.Map{
		"srun":            task(t, 1, 4),
		"srun, forced":    task(t, 1, 4).With("AME_BOOTSTRAP", "slurm"),
		"srun pmix":       slurmPMIxEnv(),
		"Open MPI":        openMPIEnv(),
		"ameexec":         {"AME_RANK": "1", "AME_SIZE": "2", "AME_CONTROL_FD": "99999", "PMI_FD": "99998", "PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "2"},
		"hydra":           {"PMI_FD": "99999", "PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "2", "HYDI_CONTROL_FD": "99998"},
		"hydra -pmi-port": {"PMI_PORT": "127.0.0.1:1", "PMI_ID": "1", "MPI_LOCALNRANKS": "2", "HYDI_CONTROL_FD": "99998"},
		"by hand":         byHand(),
	} {
		t.Run(name, func(t *testing.T) {
			world, report, err := Find(t.Context(), inherited(env).Lookup)
			require.NoError(t, err)
			assert.Equal(t, "single", world.Method)
			assert.Equal(t, 1, world.Size)
			assert.Zero(t, world.Promised)
			assert.Empty(t, world.Warnings)
			assert.Contains(t, report.String(), "the variables are those of process 1, a rank that has started this program")
		})
	}
}

// A launcher that a rank of ameexec starts, here ameexec again, may give its
// ranks the same numbers. What it starts has live descriptors.
func TestRankOfAnInnerLauncherIsNoChild(t *testing.T) {
	_, envs := launch(t, 1)
	world, _, err := Find(t.Context(), inherited(envs[0]).Lookup)
	require.NoError(t, err)
	assert.Equal(t, "ame", world.Method)
}

func TestMark(t *testing.T) {
	t.Setenv(nesting.Mark, "") // restored at the end
	env := byHand()
	see := func() (outsider, bool) {
		return surroundings{self: process.Info{PID: 1}}.childOfRank(env.With(nesting.Mark, os.Getenv(nesting.Mark)).Lookup)
	}
	unmark := (&World{Method: "ame"}).Mark(env.Lookup)
	o, ok := see()
	require.True(t, ok)
	assert.NotEmpty(t, o.why)
	_, ok = look().childOfRank(env.With(nesting.Mark, os.Getenv(nesting.Mark)).Lookup)
	assert.False(t, ok, "the rank itself")
	outer := os.Getenv(nesting.Mark)

	(&World{Method: "single"}).Mark(env.Lookup)()
	assert.Equal(t, outer, os.Getenv(nesting.Mark), "what is no rank leaves the mark of the rank above it")
	unmark()
	_, ok = see()
	assert.False(t, ok)
}

// A program that a rank starts after it has closed its Comm may be the next
// program of the task, or not. If others do not come, it says what may be wrong.
func TestChildOfOneThatWasARank(t *testing.T) {
	env := byHand()
	env = env.With(nesting.Mark, nesting.Closed(nesting.MarkOf(env.Lookup, process.Info{PID: 77, Start: 1})))
	world, _, err := Find(t.Context(), env.Lookup)
	require.NoError(t, err)
	assert.Equal(t, "ame", world.Method)
	const want = "process 77, a rank that had closed its Comm, has started this program: if it is to be on its own, start it before Close, or with AME_BOOTSTRAP=single"
	assert.Equal(t, want, world.Clues())
	_, _, err = Find(t.Context(), env.With("AME_JOB", "a b").Lookup)
	assert.ErrorContains(t, err, want)
}

func TestShellOfStep(t *testing.T) {
	shell := surroundings{parent: process.Info{Name: "bash"}, terminal: true}
	env := task(t, 0, 4).With("SLURM_PTY_PORT", "40000")
	for name, test := range map[string]struct {
		here surroundings
		env  fakeenv.Map
		want bool
	}{
		"typed into the shell": {shell, env, true},
		"the task itself":      {surroundings{parent: process.Info{Name: "slurmstepd"}, terminal: true}, env, false},
		"not seen":             {surroundings{terminal: true}, env, false},
		"no terminal":          {surroundings{parent: process.Info{Name: "bash"}}, env, false},
		"no --pty":             {shell, env.Without("SLURM_PTY_PORT"), false},
		"a step of one":        {shell, task(t, 0, 1).With("SLURM_PTY_PORT", "40000"), false},
		"no step":              {shell, env.Without("SLURM_STEP_ID"), false},
	} {
		t.Run(name, func(t *testing.T) {
			o, ok := test.here.shellOfStep(test.env.Lookup)
			require.Equal(t, test.want, ok)
			if !ok {
				return
			}
			world, report, err := find(t.Context(), test.env.Lookup, nil, barred(methods(), o))
			require.NoError(t, err)
			assert.Equal(t, "single", world.Method)
			assert.Equal(t, 4, world.Promised)
			assert.Contains(t, strings.Join(world.Warnings, ""), "SLURM_STEP_NUM_TASKS=4 but this is rank 0 of 1: the shell of srun --pty is one task")
			assert.Contains(t, report.String(), "this is the terminal of srun --pty, where one task of 4 runs what is typed")
		})
	}
}
