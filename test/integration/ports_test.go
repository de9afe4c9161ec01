//go:build integration

package integration

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWithoutReservedPorts repeats what has no channel but ports on a cluster
// without MpiParams: steps then have no SLURM_STEP_RESV_PORTS, and ranks agree on
// ports of their own.
func TestWithoutReservedPorts(t *testing.T) {
	t.Parallel()
	const reserved = "srun -w c2 printenv SLURM_STEP_RESV_PORTS"
	again := []string{
		"srun --mpi=none", "salloc, srun", "sbatch, srun --het-group=0,1", "srun -m arbitrary",
		"two steps at once (--overlap)", "20 steps back to back",
	}
	wanted := func(name string) bool { return slices.Contains(again, name) }
	plan(countCells(wanted, columns[1:]))
	onClusters(t, broken, func(t *testing.T, c *cluster) {
		serial := c.serial(t)
		require.NotEmpty(t, c.run(t, "ctl", patience, reserved).stdout, "reserved ports before")
		c.reservePorts(t, "")
		t.Cleanup(func() { c.reservePorts(t, "20000-20199") })
		require.Empty(t, c.run(t, "ctl", patience, reserved).stdout, "reserved ports")

		t.Run("launch", func(t *testing.T) {
			for _, row := range rows {
				if !wanted(row.name) {
					continue
				}
				for _, col := range columns[1:] {
					cell := row.cell(col)
					t.Run(row.name+"/"+col.name, func(t *testing.T) {
						t.Parallel()
						_, err := cell.run(t, c, serial)
						assert.NoError(t, err)
					})
				}
			}
		})
	})
}

// reservePorts changes MpiParams=ports= of the running cluster.
func (c *cluster) reservePorts(t *testing.T, ports string) {
	for machine := range c.agents {
		c.root(t, machine, "set-mpi-ports '"+ports+"'")
	}
	c.root(t, "ctl", "scontrol reconfigure")
}
