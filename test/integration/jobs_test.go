//go:build integration

package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// jobEnv is what a user sets to submit one of the scripts in jobs.
const jobEnv = "BIN=/opt/dlp INPUT=/opt/dlp/src "

// TestJobs submits the batch scripts that users copy, as they are.
func TestJobs(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("../../jobs/*.sbatch")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	plan(len(scripts) - 2)
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		serial := c.serial(t)
		out, err := c.script("install", scripts...).CombinedOutput()
		require.NoError(t, err, "%s", out)

		// The first line of corpus, without the directory.
		counted := fmt.Sprintf("%d files, %d bytes, %d tokens", serial.Files, serial.Bytes, serial.Tokens)
		t.Run("scripts", func(t *testing.T) {
			for _, script := range scripts {
				name := strings.TrimSuffix(filepath.Base(script), ".sbatch")
				if name == "container" || name == "gpu" {
					continue // neither apptainer nor GPUs are on the cluster; make lint checks the scripts
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					switch name {
					case "hello":
						r := c.job(t, name)
						for rank := range 4 {
							assert.Contains(t, r.stdout, fmt.Sprintf("Hello from rank %d of 4", rank))
						}
					case "corpus", "hydra", "openmpi", "hetjob":
						assert.Contains(t, c.job(t, name).stdout, counted)
					case "map":
						r := c.job(t, name)
						assert.Contains(t, r.stderr, " done, 0 failed in ")
						assert.Positive(t, strings.Count(r.stdout, " tokens"), "%v", r)
					case "array":
						c.testResults(t, serial, "array", "c2")
					case "farm":
						c.testResults(t, serial, "farm", "c3")
					case "requeue":
						c.testRequeueJob(t)
					default:
						t.Errorf("jobs/%s.sbatch is not tested", name)
					}
				})
			}
		})
	})
}

// job submits a script of jobs and waits for its success.
func (c *cluster) job(t *testing.T, name string, options ...string) result {
	r := c.run(t, "ctl", patience, jobEnv+"run-job "+strings.Join(options, " ")+" /opt/dlp/"+name+".sbatch")
	require.Zero(t, r.status, "%v", r)
	return r
}

// testResults looks at the files that a job leaves. All its tasks run on one node,
// where the files are then together as if on a shared file system. (They go to
// the directory of the submission.)
func (c *cluster) testResults(t *testing.T, serial corpus, name, node string) {
	c.job(t, name, "-N1", "-w", node)
	r := c.run(t, node, patience, "cat results/*.json")
	require.Zero(t, r.status, "%v", r)
	items, err := reports[corpus](r.stdout)
	require.NoError(t, err)
	var files, tokens int
	for _, item := range items {
		files, tokens = files+item.Files, tokens+item.Tokens
	}
	assert.Equal(t, serial.Files, files)
	assert.Equal(t, serial.Tokens, tokens)
}

// The job is told that its time is up when its first start has results, and has to
// come back and do the rest. (On the same nodes, as its files are there.)
func (c *cluster) testRequeueJob(t *testing.T) {
	const slow = `mkdir -p slow && cat >slow/resume <<'EOF' && chmod +x slow/resume
#!/bin/bash
if [ -z "$SLURM_RESTART_COUNT" ]; then
	if [ "$SLURM_PROCID" = 0 ]; then
		(until [ -s /home/user/slow/resume.txt ]; do sleep 0.2; done
		scancel --batch --signal=USR1 $SLURM_JOB_ID) </dev/null >/dev/null 2>&1 &
	fi
	exec /opt/dlp/resume "$@" -pause 100ms
fi
exec /opt/dlp/resume "$@"
EOF`
	for _, node := range []string{"c1", "c2", "c3"} {
		r := c.run(t, node, patience, slow)
		require.Zero(t, r.status, "%v", r)
	}
	r := c.run(t, "ctl", patience, "BIN=/home/user/slow STATE=/home/user/slow run-job -w c[1-2] /opt/dlp/requeue.sbatch")
	require.Zero(t, r.status, "%v", r)
	assert.Contains(t, r.stdout, "SIGUSR1")
	assert.Contains(t, r.stdout, "requeue number 1")
	assert.Regexp(t, `1000 of 1000 blocks are done, [1-9]\d* of them by earlier starts`, r.stdout)
	assert.NotContains(t, r.stdout, "1000 of them by earlier starts", "all in the first start")
}
