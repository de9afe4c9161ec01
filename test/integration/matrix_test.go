//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// patience bounds what should take a second or two.
const patience = 3 * time.Minute

// launchersPage is the page that shows the matrix to users.
const launchersPage = "../../docs/launchers.md"

// TestMatrix launches dlp-hello and corpus in every way, on one node and on
// several, and prints what came of it as a table.
func TestMatrix(t *testing.T) {
	t.Parallel()
	results := newTable()
	for _, row := range rows {
		results.rows = append(results.rows, row.name)
	}
	for _, col := range columns {
		results.columns = append(results.columns, col.name)
	}

	plan(countCells(func(string) bool { return true }, columns))
	// t.Run returns when all cells have, parallel as they are.
	t.Run("all", func(t *testing.T) {
		onClusters(t, shared, func(t *testing.T, c *cluster) {
			serial := c.serial(t)
			results.describe(c.release, c.versions(t))
			for _, row := range rows {
				for _, col := range columns {
					cell := row.cell(col)
					if cell == nil {
						results.set(c.release, row.name, col.name, "")
						continue
					}
					t.Run(row.name+"/"+col.name, func(t *testing.T) {
						t.Parallel()
						outcome, err := cell.run(t, c, serial)
						if err != nil {
							outcome = "FAILED"
						}
						results.set(c.release, row.name, col.name, outcome)
						assert.NoError(t, err)
					})
				}
			}
		})
	})
	if len(results.cells) == 0 {
		need.Unable(t, "no cluster ran the matrix")
	}
	fmt.Println(results.markdown())
	results.compare(t)
}

// countCells says how many launches the rows with such names have.
func countCells(names func(string) bool, columns []column) (n int) {
	for _, row := range rows {
		for _, col := range columns {
			if names(row.name) && row.cell(col) != nil {
				n++
			}
		}
	}
	return n
}

// versions says what launchers a cluster has. Updates within a release are left
// out.
func (c *cluster) versions(t *testing.T) string {
	const ask = `for ask in "srun --version" "mpichversion" "mpiexec.openmpi --version" \
	"dpkg-query -W -f \${source:Upstream-Version} libpmix-dev"; do
	$ask | grep -oE '[0-9]+\.[0-9]+' | head -n 1
done`
	r := c.run(t, "ctl", patience, ask)
	v := strings.Fields(r.stdout)
	require.Len(t, v, 4, "%v", r)
	return fmt.Sprintf("SLURM %s, MPICH %s, Open MPI %s, PMIx %s", v[0], v[1], v[2], v[3])
}

// serial runs corpus as a single process, for comparison.
func (c *cluster) serial(t *testing.T) corpus {
	r := c.run(t, "ctl", patience, "corpus --json /opt/dlp/src")
	require.Zero(t, r.status, "serial corpus: %v", r)
	all, err := reports[corpus](r.stdout)
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// run launches both programs and returns the method they used, or "advice" if
// the launch failed as it may.
func (c *cell) run(t *testing.T, on *cluster, serial corpus) (method string, err error) {
	r := on.run(t, "ctl", patience, strings.ReplaceAll(c.script, "{prog}", "/opt/dlp/dlp-hello --json"))
	if r.status != 0 && c.advises != "" {
		if !strings.Contains(r.stderr, c.advises) {
			return "", fmt.Errorf("failed without advice to use %s: %v", c.advises, r)
		}
		// The launch must end by itself within 30 s; leave time for SLURM.
		if r.elapsed > 45*time.Second {
			return "", fmt.Errorf("advice came late: %v", r)
		}
		return "advice", nil
	}
	wantStatus := 0
	if c.alone {
		wantStatus = 1
	}
	if r.status != wantStatus {
		return "", fmt.Errorf("dlp-hello: want status %d: %v", wantStatus, r)
	}
	hellos, err := reports[hello](r.stdout)
	if err != nil || len(hellos) != len(c.want) {
		return "", fmt.Errorf("%d reports of dlp-hello, want %d: %v: %v", len(hellos), len(c.want), err, r)
	}
	for i, h := range hellos {
		if err := h.check(c.want[i], c.method); err != nil {
			return "", fmt.Errorf("dlp-hello: %w: %v", err, r)
		}
		if c.alone != strings.Contains(strings.Join(h.Warnings, "\n"), "did you forget srun") {
			return "", fmt.Errorf("dlp-hello: warnings %q: %v", h.Warnings, r)
		}
	}
	if c.helloOnly {
		return hellos[0].Method, nil
	}

	r = on.run(t, "ctl", patience, strings.ReplaceAll(c.script, "{prog}", "/opt/dlp/corpus --json /opt/dlp/src"))
	if r.status != 0 {
		return "", fmt.Errorf("corpus: %v", r)
	}
	counts, err := reports[corpus](r.stdout)
	if err != nil || len(counts) != len(c.want) {
		return "", fmt.Errorf("%d reports of corpus, want %d: %v: %v", len(counts), len(c.want), err, r)
	}
	for i, got := range counts {
		if err := got.check(serial, len(c.want[i].hosts)); err != nil {
			return "", fmt.Errorf("corpus: %w: %v", err, r)
		}
	}
	return hellos[0].Method, nil
}

// compare compares the table with the page that users read, or writes the page.
func (t *table) compare(test *testing.T) {
	page := launchersHead + t.markdown()
	if test.Failed() || !t.complete(len(strings.Split(allReleases, ","))) {
		return
	}
	if *update {
		require.NoError(test, os.MkdirAll(filepath.Dir(launchersPage), 0o755))
		require.NoError(test, os.WriteFile(launchersPage, []byte(page), 0o644))
		return
	}
	old, err := os.ReadFile(launchersPage)
	require.NoError(test, err)
	assert.Equal(test, string(old), page, "docs/launchers.md is not what was seen; write it with make test-cluster UPDATE=1")
}

const launchersHead = `# Launchers

Every way to start a program that is tested, on one node, on two, and on three
with an uneven number of ranks. A cell names the bootstrap method that all ranks
chose; an empty one does not apply. The tests run dlp-hello and the example
corpus on a real SLURM cluster whose nodes share no file system, and compare
ranks, hosts, exit status and results (make test-cluster).

"single" is one process on its own, with a warning that srun was forgotten.
"advice" is a launch whose environment contradicts itself. It ends at once, with a
message that says what to set (AME_BOOTSTRAP=pmix there). Wrappers, farm engines
and programs that ranks start are in [nesting.md](nesting.md).

srun --mpi=pmix of SLURM 22.05 hangs now and then when the step has several nodes.
About once in a hundred steps of users other than root, slurmstepd rejects a
connection of its own ("Munge decode failed: Unauthorized credential", then
"Connection reject"). This concerns every program that uses PMIx. The test cluster has
PMIxDirectConn=no in mpi.conf; a user can set SLURM_PMIX_DIRECT_CONN=false, or
use srun --mpi=none. Without direct connections, a fence of that SLURM waits for
no other node. Programs of this toolkit come up all the same.

Now and then the same launches are run on other releases (go test -tags integration
./test/integration -releases noble): Ubuntu 20.04 (SLURM 19.05, MPICH 3.3, Open MPI
4.0, PMIx 3.1), Debian 11 (20.11, 3.4, 4.1, 4.0), Ubuntu 22.04 (21.08, 4.0, 4.1,
4.1), Ubuntu 24.04 (23.11, 4.2, 4.1, 5.0) and the next Debian (26.05, 5.0, 6.0,
7.0). What failed there lies with the release: options that its SLURM or MPICH
does not have (--overlap, --interactive, -pmi-port), srun --mpi=pmix where its SLURM
has no such plugin that loads (Ubuntu 22.04, the next Debian), and a second program
of a task under the first two, whose PMIx serves one. These two also lay five ranks out
on three nodes in another way than the tests expect.

`
