//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ports that rank 0 of a step can listen on: the reserved ones of the cluster,
// and those that ranks derive from the name of the step.
const rootPorts = "20000-29999"

// startHello is a step over three nodes with rank 0 on c1, whose ranks have 10 s
// to find each other.
const startHello = "AME_TIMEOUT=10s srun --mpi=none -w c[1-3] -N3 -n3 /opt/dlp/dlp-hello --json"

var faults = []struct {
	name string
	test func(*cluster, *testing.T)
}{
	{"munged is stopped on c1, the node of rank 0", func(c *cluster, t *testing.T) { c.testMungeStopped(t, "c1") }},
	{"munged is stopped on c2", func(c *cluster, t *testing.T) { c.testMungeStopped(t, "c2") }},
	{"no munged, key file", (*cluster).testKeyFile},
	{"no munged, homes not shared", (*cluster).testOtherKeyFiles},
	{"no munged, AME_INSECURE", (*cluster).testInsecure},
	{"no route to rank 0", (*cluster).testNoRoute},
	{"packets to rank 0 vanish", (*cluster).testBlackHole},
	{"a rank never starts, --mpi=none", func(c *cluster, t *testing.T) { c.testRankMissing(t, "none") }},
	{"a rank never starts, --mpi=pmi2", func(c *cluster, t *testing.T) { c.testRankMissing(t, "pmi2") }},
}

// TestFaults breaks the cluster in one way after the other and looks at what the
// user is told. Steps are started without PMI: then all the proof and the search
// for rank 0 are ours.
func TestFaults(t *testing.T) {
	t.Parallel()
	plan(len(faults))
	onClusters(t, broken, func(t *testing.T, c *cluster) {
		for _, fault := range faults {
			t.Run(fault.name, func(t *testing.T) { fault.test(c, t) })
		}
	})
}

// fails runs a script that must fail before it is killed, and returns what it
// said.
func (c *cluster) fails(t *testing.T, script string) string {
	r := c.run(t, "ctl", patience, script)
	require.NotZero(t, r.status, "%s: %v", script, r)
	require.NotEqual(t, 124, r.status, "%s: %v", script, r)
	return r.stderr
}

// succeeds runs a script that must print one report of n ranks that met by the
// method slurm.
func (c *cluster) succeeds(t *testing.T, n int, script string) hello {
	r := c.run(t, "ctl", patience, script)
	require.Zero(t, r.status, "%s: %v", script, r)
	all, err := reports[hello](r.stdout)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "slurm", all[0].Method)
	require.Len(t, all[0].Ranks, n)
	return all[0]
}

// stopMunge stops the munged that users see on some nodes, until the end of the
// test. Key files that ranks make instead are removed then.
func (c *cluster) stopMunge(t *testing.T, nodes ...string) {
	for _, node := range nodes {
		c.root(t, node, "kill $(cat /run/munge/munge.pid); while pgrep -F /run/munge/munge.pid >/dev/null 2>&1; do sleep 0.1; done")
		t.Cleanup(func() {
			c.root(t, node, "start-munged munge; rm -rf /home/user/.config /home/user/key")
		})
	}
}

func (c *cluster) testMungeStopped(t *testing.T, node string) {
	c.stopMunge(t, node)
	said := c.fails(t, startHello)
	assert.Contains(t, said, node)
	assert.Contains(t, strings.ToLower(said), "munge")
	assert.Regexp(t, "AME_KEY_FILE|start munged", said, "no remedy is named")
}

// A home directory that the nodes share is imitated by the same file on each.
func (c *cluster) testKeyFile(t *testing.T) {
	nodes := []string{"c1", "c2", "c3"}
	c.stopMunge(t, nodes...)
	c.succeeds(t, 2, "AME_KEY_FILE=/home/user/key srun --mpi=none -w c1 -n2 /opt/dlp/dlp-hello --json")
	r := c.run(t, "c1", patience, "stat -c %a key && for n in c2 c3; do scp -pq key $n:; done")
	require.Zero(t, r.status, "%v", r)
	require.Equal(t, "600", strings.TrimSpace(r.stdout), "mode of the key file")
	c.succeeds(t, 3, "AME_KEY_FILE=/home/user/key "+startHello)
}

func (c *cluster) testOtherKeyFiles(t *testing.T) {
	c.stopMunge(t, "c1", "c2", "c3")
	said := c.fails(t, startHello)
	assert.Contains(t, said, ".config/ame/key")
	assert.Contains(t, said, "shared")
	assert.Contains(t, said, "c1")
}

func (c *cluster) testInsecure(t *testing.T) {
	c.stopMunge(t, "c1", "c2", "c3")
	report := c.succeeds(t, 3, "AME_INSECURE=1 "+startHello)
	assert.Contains(t, strings.Join(report.Warnings, "\n"), "AME_INSECURE")
}

// address returns the address of a machine on the cluster's network.
func (c *cluster) address(t *testing.T, machine string) string {
	r := c.run(t, machine, patience, "hostname -i")
	require.Zero(t, r.status, "%v", r)
	return strings.Fields(r.stdout)[0]
}

// rule adds a routing rule on a machine until the end of the test.
func (c *cluster) rule(t *testing.T, machine, format string, args ...any) {
	rule := fmt.Sprintf(format, args...)
	c.root(t, machine, "ip rule add "+rule)
	t.Cleanup(func() { c.root(t, machine, "ip rule del "+rule) })
}

func (c *cluster) testNoRoute(t *testing.T) {
	root := c.address(t, "c1")
	c.rule(t, "c2", "to %s ipproto 6 dport %s unreachable", root, rootPorts)
	said := c.fails(t, startHello)
	assert.Contains(t, said, "c2", "who cannot connect")
	assert.Contains(t, said, "c1", "the host of rank 0")
	assert.Contains(t, said, root, "the address tried")
	assert.Regexp(t, "unreachable|no route", said, "why")
}

// A connection to a host that answers nothing costs more time than one that is
// refused; it must end all the same.
func (c *cluster) testBlackHole(t *testing.T) {
	root := c.address(t, "c1")
	c.rule(t, "c1", "to %s ipproto 6 sport %s blackhole", c.address(t, "c2"), rootPorts)
	said := c.fails(t, startHello)
	assert.Contains(t, said, "c2", "who cannot connect")
	assert.Contains(t, said, "c1", "the host of rank 0")
	assert.Contains(t, said, root, "the address tried")
}

// testRankMissing starts a step in which task 2 does something else for as long
// as the others wait.
func (c *cluster) testRankMissing(t *testing.T, mpi string) {
	said := c.fails(t, "AME_TIMEOUT=5s srun --mpi="+mpi+
		" -w c[1-3] -N3 -n4 bash -c 'if [ $SLURM_PROCID = 2 ]; then sleep 12; else exec /opt/dlp/dlp-hello --json; fi'")
	if mpi == "none" {
		assert.Regexp(t, `\brank(s)? 2\b`, said, "the missing rank")
	} else {
		// PMI's barrier does not tell who is missing.
		assert.Contains(t, said, "barrier")
	}
}
