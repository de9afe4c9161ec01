//go:build integration

package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// launch is a way to start two ranks on c1 and c2.
type launch struct{ name, command string }

var (
	srunNone  = launch{"srun --mpi=none", "srun -w c[1-2] -N2 -n2 --mpi=none"}
	srunPMI2  = launch{"srun --mpi=pmi2", "srun -w c[1-2] -N2 -n2 --mpi=pmi2"}
	srunPMIx  = launch{"srun --mpi=pmix", "srun -w c[1-2] -N2 -n2 --mpi=pmix"}
	hydra     = launch{"mpiexec.hydra", "mpiexec.hydra -launcher ssh -hosts c1:1,c2:1 -n 2"}
	openmpi   = launch{"mpiexec.openmpi", "mpiexec.openmpi --bind-to none --host c1:1,c2:1 -n 2"}
	onMachine = launch{"ameexec", "ssh c1 /opt/dlp/ameexec -n 2"}

	everyLaunch = []launch{srunNone, srunPMI2, srunPMIx, hydra, openmpi, onMachine}
)

// nested is a launch of something that is not simply a program: a wrapper, a
// farm engine, a program that starts others.
type nested struct {
	name     string
	command  string // of each rank; see test/payload
	launches []launch

	// sums are those that the programs print: "BASE by N ranks". A wrong sum is
	// never right, whatever the exit status.
	sums []string

	// refused says that the programs cannot tell who belongs to whom. The launch
	// fails and names what to do, or everything is right.
	refused bool
}

var nestings = []nested{
	{"farm engine, each on its own", "env AME_BOOTSTRAP=single farm.sh", []launch{srunNone, srunPMI2, srunPMIx}, farmed, false},
	{"farm engine", "farm.sh", []launch{srunNone, srunPMI2, srunPMIx}, farmed, true},
	{"two programs at the same time", "beside.sh", []launch{srunNone, onMachine, openmpi}, []string{"0 by 2", "1000 by 2"}, true},

	{"children of all ranks", "sub each sub 2000", everyLaunch, slices.Repeat([]string{"2000 by 1"}, 4), false},
	{"a child of rank 0", "sub root sub 2000", everyLaunch, []string{"2000 by 1"}, false},
	{"a launcher below a rank", "sub root ameexec -n 3 sub 2000", everyLaunch, []string{"2000 by 3"}, false},
	{"mpiexec below a rank", "sub root mpiexec.hydra -launcher fork -n 3 sub 2000", everyLaunch, []string{"2000 by 3"}, false},

	{"wrapper that becomes the program", "execed.sh", everyLaunch, []string{"0 by 2"}, false},
	{"wrapper, one command line", "same.sh", everyLaunch, []string{"0 by 2"}, false},
	{"wrapper, different command lines", "wrapped.sh", everyLaunch, nil, true},
	{"wrapper, different directories", "apart.sh", everyLaunch, nil, true},
	{"wrapper, different command lines, AME_MPMD", "env AME_MPMD=1 wrapped.sh", everyLaunch, []string{"0 by 2"}, false},

	{"two jobs one after the other", "twice.sh", []launch{srunNone, openmpi}, []string{"0 by 2", "1000 by 2"}, false},
	{"two jobs, rank 0 of the first lives on", "outlived.sh", []launch{srunNone}, []string{"0 by 2", "1000 by 2"}, false},
}

// farmed is what the farm engine runs.
var farmed = []string{"0 by 1", "1000 by 1", "2000 by 1", "3000 by 1", "4000 by 1", "5000 by 1", "6000 by 1"}

// TestNesting starts programs below something that inherits a launcher's
// variables, and wants right results or none.
func TestNesting(t *testing.T) {
	t.Parallel()
	count := 0
	for _, n := range nestings {
		count += len(n.launches)
	}
	plan(count)
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for _, n := range nestings {
			for _, l := range n.launches {
				t.Run(n.name+"/"+l.name, func(t *testing.T) {
					t.Parallel()
					r := c.run(t, "ctl", patience, "export AME_TIMEOUT=20s; "+l.command+" "+n.command)
					n.check(t, r)
				})
			}
		}
	})
}

func (n nested) check(t *testing.T, r result) {
	got, err := sums(r.stdout)
	require.NoError(t, err, "%v", r)
	if !n.refused {
		assert.Zero(t, r.status, "%v", r)
		assert.Equal(t, n.sums, got, "%v", r)
		return
	}
	for _, sum := range got {
		assert.Contains(t, n.sums, sum, "%v", r)
	}
	if r.status == 0 && len(n.sums) > 0 && slices.Equal(n.sums, got) {
		return // one after the other: right, by luck
	}
	assert.NotZero(t, r.status, "%v", r)
	assert.Less(t, r.elapsed, 45*time.Second, "%v", r)
	assert.Contains(t, r.stderr, "AME_BOOTSTRAP=single", "a remedy")
	if n.command == "apart.sh" {
		assert.Regexp(t, `sub 0 in \S+/rank-0-\d+ and rank 1 runs sub 0 in \S+/rank-1-\d+`, r.stderr)
	}
	if strings.Contains(n.command, "wrapped.sh") {
		for _, text := range []string{"exec", "AME_MPMD=1", "sub 0 word-0", "sub 0 word-1"} {
			assert.Contains(t, r.stderr, text)
		}
	}
}

// sums reads what sub has printed, and checks each sum.
func sums(stdout string) (found []string, err error) {
	for line := range strings.Lines(stdout) {
		var base, sum, ranks int
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "%d %d by %d ranks", &base, &sum, &ranks); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if sum != 100*base+99*100/2 {
			return nil, fmt.Errorf("wrong sum: %s", line)
		}
		found = append(found, strconv.Itoa(base)+" by "+strconv.Itoa(ranks))
	}
	slices.Sort(found)
	return found, nil
}

// openMPIPrograms is the launch at whose colon PRRTE 3.0, the launcher of trixie's
// Open MPI, crashes with any program.
const openMPIPrograms = "mpiexec.openmpi :"

// MPMD: the launcher itself says that the ranks differ.
func TestDifferentPrograms(t *testing.T) {
	t.Parallel()
	launches := []launch{
		{"srun --multi-prog", "printf '0 sub 0 a\\n1 sub 0 b\\n' >multi-$$ && srun -w c[1-2] -N2 -n2 --mpi=none --multi-prog multi-$$"},
		{"srun --multi-prog, pmi2", "printf '0 sub 0 a\\n1 sub 0 b\\n' >multi-$$ && srun -w c[1-2] -N2 -n2 --mpi=pmi2 --multi-prog multi-$$"},
		{"srun :", "srun --mpi=none -w c1 -n1 sub 0 a : -w c2 -n1 sub 0 b"},
		{"mpiexec.hydra :", "mpiexec.hydra -launcher ssh -hosts c1:1,c2:1 -n 1 sub 0 a : -n 1 sub 0 b"},
		{openMPIPrograms, "mpiexec.openmpi --bind-to none --host c1:1,c2:1 -n 1 sub 0 a : -n 1 sub 0 b"},
		{"ameexec :", "ssh c1 '/opt/dlp/ameexec -n 1 sub 0 a : -n 1 sub 0 b'"},
		{"ameexec : behind wrappers", "ssh c1 '/opt/dlp/ameexec -n 1 wrapped.sh : -n 1 wrapped.sh'"},
	}
	plan(len(launches))
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for _, l := range launches {
			if l.name == openMPIPrograms && c.release == "trixie" {
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				r := c.run(t, "ctl", patience, "export AME_TIMEOUT=20s; "+l.command)
				nested{sums: []string{"0 by 2"}}.check(t, r)
			})
		}
	})
}
