//go:build integration

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programs are the examples that are several programs: the file for srun
// --multi-prog, and the arguments of ameexec. The others are one program on all
// ranks.
var programs = map[string]struct{ file, ameexec string }{
	"producer-consumer": {
		`0 producer-consumer produce\n1-4 producer-consumer consume\n`,
		"-n 1 producer-consumer produce : -n 4 producer-consumer consume",
	},
}

// arguments are what an example needs so that its runs do not meet in one file;
// {} is another text in each.
var arguments = map[string]string{
	"resume": " -blocks 100 -journal {}.journal -results {}.txt",
}

// onOneNode are examples that want what the nodes of the cluster have not: a file
// system that all of them see.
var onOneNode = []string{"parallel-output"}

// TestExamples runs the examples over three nodes, and wants what they print on
// one machine.
func TestExamples(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("../../examples")
	require.NoError(t, err)
	folders = slices.DeleteFunc(folders, func(f os.DirEntry) bool {
		_, err := os.Stat("../../examples/" + f.Name() + "/main.go") // workers of dlp map have none
		return err != nil || f.Name() == "corpus"
	})
	types := []string{"none", "pmi2", "pmix"}
	plan(len(folders) * len(types))
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for _, folder := range folders {
			name := folder.Name()
			program := name + arguments[name]
			prepare, step, local := "", program, "-n 5 "+program
			if p, several := programs[name]; several {
				prepare, step, local = "printf '"+p.file+"' >multi-$$ && ", "--multi-prog multi-$$", p.ameexec
			}
			nodes := "3"
			if slices.Contains(onOneNode, name) {
				nodes = "1"
			}
			for _, mpi := range types {
				t.Run(name+"/--mpi="+mpi, func(t *testing.T) {
					t.Parallel()
					alone, spread := strings.NewReplacer("{}", "alone-"+mpi), strings.NewReplacer("{}", "spread-"+mpi)
					want := c.lines(t, alone.Replace("ssh c1 '/opt/dlp/ameexec "+local+"'"))
					assert.NotEqual(t, []string{""}, want)
					assert.Equal(t, want, c.lines(t, spread.Replace(prepare+"srun -N"+nodes+" -n5 --mpi="+mpi+" "+step)))
				})
			}
		}
	})
}

// lines returns what a command on ctl prints, sorted.
func (c *cluster) lines(t *testing.T, command string) []string {
	r := c.run(t, "ctl", patience, command)
	require.Zero(t, r.status, "%s: %v", command, r)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	slices.Sort(lines)
	return lines
}
