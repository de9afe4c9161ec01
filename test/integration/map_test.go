//go:build integration

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbered is the lines "1 x".."n x", as they are sorted.
func numbered(n int, rest string) []string {
	var lines []string
	for i := 1; i <= n; i++ {
		lines = append(lines, fmt.Sprintf("%d%s", i, rest))
	}
	slices.Sort(lines)
	return lines
}

// TestMap runs commands by dlp map over three nodes.
func TestMap(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*cluster, *testing.T){
		"3,000 commands":     (*cluster).testManyCommands,
		"started by no srun": (*cluster).testMapStartsItself,
		"a task is killed":   (*cluster).testMapTaskKilled,
		"the job is stopped": (*cluster).testMapStopped,
		"requeued":           (*cluster).testMapRequeued,
	}
	plan(len(tests))
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(c, t)
			})
		}
	})
}

// testManyCommands: each item once, on all nodes, with no file system in common.
func (c *cluster) testManyCommands(t *testing.T) {
	for _, mpi := range []string{"none", "pmix"} {
		r := c.run(t, "ctl", patience, "srun -N3 -n3 --mpi="+mpi+" /opt/dlp/dlp map -q --range 1-3000 --shell 'echo {} $(hostname)'")
		require.Zero(t, r.status, "%v", r)
		var items []string
		hosts := make(map[string]int)
		for line := range strings.Lines(r.stdout) {
			item, host, _ := strings.Cut(strings.TrimSpace(line), " ")
			items = append(items, item)
			hosts[host]++
		}
		slices.Sort(items)
		assert.Equal(t, numbered(3000, ""), items)
		assert.Len(t, hosts, 3, "%v", hosts)
	}
}

// mapScript is a batch script over three nodes.
const mapScript = "#!/bin/sh\n#SBATCH -N3 -n3\n"

// batch runs a script as a job.
func (c *cluster) batch(t *testing.T, script string) result {
	return c.run(t, "ctl", patience, "cat >map-$$.sbatch <<'END'\n"+mapScript+script+"\nEND\nrun-job map-$$.sbatch")
}

// testMapStartsItself: without srun there is one step, and all items are done.
func (c *cluster) testMapStartsItself(t *testing.T) {
	r := c.batch(t, `seq 300 | /opt/dlp/dlp map -q --tag sh -c hostname sh {}
srun -N1 -n1 sh -c 'echo "steps before: $SLURM_STEP_ID"'`)
	require.Zero(t, r.status, "%v", r)
	assert.Contains(t, r.stderr, "dlp map: started by no srun: srun --input=0 --mpi=none ")
	assert.Contains(t, r.stdout, "steps before: 1\n")
	hosts := make(map[string]bool)
	var items []string
	for line := range strings.Lines(r.stdout) {
		if item, host, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			items = append(items, item)
			hosts[host] = true
		}
	}
	slices.Sort(items)
	assert.Equal(t, numbered(300, ""), items)
	assert.Len(t, hosts, 3)
	c.nothingLeft(t)
}

// testMapTaskKilled: what a killed task was working on is done by others.
func (c *cluster) testMapTaskKilled(t *testing.T) {
	r := c.batch(t, `seq 200 | /opt/dlp/dlp map --shell '[ $DLP_RANK = 1 ] && kill -9 $PPID; echo {}; sleep 0.05'`)
	var items []string
	for line := range strings.Lines(r.stdout) {
		items = append(items, strings.TrimSpace(line))
	}
	slices.Sort(items)
	assert.Equal(t, numbered(200, ""), items, "%v", r)
	assert.Contains(t, r.stderr, "200 done, 0 failed")
	assert.Contains(t, r.stderr, "lost rank [1]")
	c.nothingLeft(t)
}

// testMapStopped: a signal of Slurm's ends the map with what runs, and status 75.
// It comes when an item on the node of the script, which is that of rank 0, is done.
func (c *cluster) testMapStopped(t *testing.T) {
	r := c.batch(t, `export DONE=/tmp/map-done-$SLURM_JOB_ID
(while ! [ -e $DONE ]; do sleep 0.2; done; sleep 1; scancel --signal=USR1 $SLURM_JOB_ID) &
/opt/dlp/dlp map --grace 1 --range 1-100000 --shell 'sleep 0.3; [ $DLP_RANK != 0 ] || : >$DONE; : {}'
echo "status $?"
rm -f $DONE`)
	assert.Contains(t, r.stdout, "status 75\n", "%v", r)
	assert.Regexp(t, `dlp map: [1-9]\d* done, 0 failed in `, r.stderr)
	assert.Contains(t, r.stderr, "stopped before the end")
	c.nothingLeft(t)
}

// testMapRequeued: a job that is put back into the queue in the middle goes on where
// its journal ends. Its script runs on the first node each time.
func (c *cluster) testMapRequeued(t *testing.T) {
	r := c.batch(t, `#SBATCH --requeue --open-mode=append
state=$HOME/requeued-$SLURM_JOB_ID
mkdir -p $state
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
	(until [ $(ls $state/results 2>/dev/null | wc -l) -gt 50 ]; do sleep 0.1; done; scontrol requeue $SLURM_JOB_ID) &
fi
/opt/dlp/dlp map --journal $state/journal --results $state/results --range 1-400 --shell 'echo {}; sleep 0.1'
[ "${SLURM_RESTART_COUNT:-0}" != 0 ] || sleep 60 # Slurm ends this script
cat $state/results/*.out
rm -r $state`)
	require.Zero(t, r.status, "%v", r)
	items := strings.Fields(r.stdout)
	slices.Sort(items)
	assert.Equal(t, numbered(400, ""), items)
	assert.Regexp(t, `400 done, 0 failed \([1-9]\d* of them by an earlier start\)`, r.stderr)
	c.nothingLeft(t)
}

// nothingLeft looks for guards on the nodes: they end last. Those of tests that
// run at the same time end, too.
func (c *cluster) nothingLeft(t *testing.T) {
	for _, node := range []string{"c1", "c2", "c3"} {
		r := c.run(t, node, patience, "while pgrep -u user item-guard >/dev/null; do sleep 0.2; done")
		assert.Zero(t, r.status, "%v", r)
	}
}
