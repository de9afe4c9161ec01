package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestSrunArgs(t *testing.T) {
	const plain = "srun --input=0 --mpi=none --kill-on-bad-exit=0 --wait=0 --no-kill"
	batch := fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "2", "SLURM_PROCID": "0"}
	tests := map[string]struct {
		env  fakeenv.Map
		want string
	}{
		"no job":           {fakeenv.Map{}, ""},
		"batch script":     {batch, plain},
		"with CPUs":        {batch.With("SLURM_CPUS_PER_TASK", "4"), plain + " --cpus-per-task=4"},
		"salloc":           {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "2"}, plain},
		"interactive step": {batch.With("SLURM_STEP_ID", "4294967290"), plain},
		"a task":           {batch.With("SLURM_STEP_ID", "0").With("SLURM_STEP_NUM_TASKS", "2").With("SLURM_STEP_NODELIST", "a").With("SLURM_STEP_TASKS_PER_NODE", "2"), ""},
		"under ameexec":    {batch.With("AME_CONTROL_FD", "3"), ""},
		"under hydra":      {batch.With("PMI_FD", "3"), ""},
		"on purpose":       {batch.With("AME_BOOTSTRAP", "single"), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args, ok := srunArgs(test.env.Lookup)
			assert.Equal(t, test.want != "", ok)
			assert.Equal(t, test.want, strings.Join(args, " "))
		})
	}
}

// In a batch script dlp becomes an srun of itself, and says so.
func TestStartsItself(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "srun"), []byte("#!/bin/sh\nprintf '<%s>' \"$@\"\n"), 0o755))
	cmd := dlpMap(t, "-k", "echo", "{}", ":::", "a b")
	cmd.Env = append(cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"), "SLURM_JOB_ID=9", "SLURM_NTASKS=2", "SLURM_PROCID=0", "SLURM_CPUS_PER_TASK=2")
	r := finish(t, cmd)
	self, err := filepath.EvalSymlinks(os.Args[0])
	require.NoError(t, err)
	assert.Equal(t, "<--input=0><--mpi=none><--kill-on-bad-exit=0><--wait=0><--no-kill><--cpus-per-task=2><"+self+"><map><-k><echo><{}><:::><a b>", r.stdout)
	assert.Equal(t, "dlp map: started by no srun: srun --input=0 --mpi=none --kill-on-bad-exit=0 --wait=0 --no-kill --cpus-per-task=2 dlp map ...\n", r.stderr)

	cmd = dlpMap(t, "echo", ":::", "a")
	cmd.Env = append(cmd.Env, "PATH=/nowhere", "SLURM_JOB_ID=9", "SLURM_NTASKS=2", "SLURM_PROCID=0")
	r = finish(t, cmd)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "srun is not in PATH")
}
