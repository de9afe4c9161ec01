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
						c.testRequeueJob(t, counted)
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

// The job is told that its time is up while its first run does nothing, and has
// to come back and finish. (On the same nodes, as its output is there.) A signal
// to a step that is still being started is lost, so all ranks meet first.
func (c *cluster) testRequeueJob(t *testing.T, counted string) {
	const slow = `mkdir -p slow && cat >slow/corpus <<'EOF' && chmod +x slow/corpus
#!/bin/bash
if [ -z "$SLURM_RESTART_COUNT" ]; then
	/opt/dlp/dlp-hello >/dev/null
	[ "$SLURM_PROCID" != 0 ] || scancel --batch --signal=USR1 $SLURM_JOB_ID
	exec sleep 300
fi
exec /opt/dlp/corpus "$@"
EOF`
	for _, node := range []string{"c1", "c2", "c3"} {
		r := c.run(t, node, patience, slow)
		require.Zero(t, r.status, "%v", r)
	}
	r := c.run(t, "ctl", patience, "BIN=/home/user/slow INPUT=/opt/dlp/src run-job -w c[1-2] /opt/dlp/requeue.sbatch")
	require.Zero(t, r.status, "%v", r)
	assert.Contains(t, r.stdout, "SIGUSR1")
	assert.Contains(t, r.stdout, counted)
}
