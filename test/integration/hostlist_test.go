//go:build integration

package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// TestHostlists asks SLURM itself for what the slurm package works out: the
// names of a hostlist, and whether a list that we have compressed means the same
// to SLURM.
func TestHostlists(t *testing.T) {
	t.Parallel()
	// The same lists every time: what fails can be looked at again.
	random := rand.New(rand.NewPCG(1, 2))
	lists := []string{
		"c1", "c[1-3]", "c[01-12]", "c[3,1,2]", "c[1-3,2]", "c1,c1,c1", "node[098-102]", "n[9-11,099-101]",
		"rack[0-2]node[1-3]", "r[0-1]c[0-1]n[0-1]", "r[0-1]c[0-1]s[0-1]n[0-1]", "a,b[1-2],c", "n2cn[0501,0509]",
		"login-1.example.org,gpu[1-2]", "n[000000000000000000001-000000000000000000003]",
	}
	for range 200 {
		lists = append(lists, randomList(random))
	}

	plan(1)
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for i, want := range c.scontrol(t, "hostnames", lists) {
			got, err := expand(lists[i])
			assert.NoError(t, err)
			assert.Equal(t, want, got, "names of %s", lists[i])
		}

		var compressed []string
		var names [][]string
		for _, list := range lists {
			expanded, err := expand(list)
			require.NoError(t, err)
			short, err := slurm.Compress(expanded)
			require.NoError(t, err)
			names, compressed = append(names, expanded), append(compressed, short)
		}
		for i, got := range c.scontrol(t, "hostnames", compressed) {
			assert.Equal(t, names[i], got, "SLURM's names of %s, compressed from %s", compressed[i], lists[i])
		}
	})
}

// expand returns the names of a hostlist of up to a million.
func expand(text string) ([]string, error) {
	h, err := slurm.ParseHostlist(text)
	if err != nil {
		return nil, err
	}
	return h.Expand(1_000_000)
}

// scontrol runs scontrol show for every list and returns the lines it printed.
func (c *cluster) scontrol(t *testing.T, what string, lists []string) [][]string {
	var script strings.Builder
	for _, list := range lists {
		fmt.Fprintf(&script, "scontrol show %s '%s'; echo\n", what, list)
	}
	r := c.run(t, "ctl", patience, script.String())
	require.Zero(t, r.status, "%v", r)
	require.Empty(t, r.stderr)
	blocks := strings.Split(strings.TrimSuffix(r.stdout, "\n\n"), "\n\n")
	require.Len(t, blocks, len(lists))
	var all [][]string
	for _, block := range blocks {
		all = append(all, strings.Split(block, "\n"))
	}
	return all
}

// randomList makes a hostlist of one to three items with up to two groups of
// ranges each. Nothing follows the last bracket: SLURM before 23.02.5 takes no
// text there.
func randomList(random *rand.Rand) string {
	var items []string
	for range 1 + random.IntN(3) {
		item := "n"
		for range random.IntN(3) {
			var ranges []string
			for range 1 + random.IntN(3) {
				width, first := 1+random.IntN(4), random.IntN(120)
				text := fmt.Sprintf("%0*d", width, first)
				if random.IntN(2) == 0 {
					text += fmt.Sprintf("-%0*d", width, first+random.IntN(6))
				}
				ranges = append(ranges, text)
			}
			item += string(rune('a'+random.IntN(4))) + "[" + strings.Join(ranges, ",") + "]"
		}
		items = append(items, item)
	}
	return strings.Join(items, ",")
}
