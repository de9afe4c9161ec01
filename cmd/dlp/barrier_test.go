package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

// barriers is a list of commands of which the last one sees what those before
// have written.
const barriers = `#DLP PREFIX cd "$WHERE"; (
#DLP SUFFIX ) >>log
echo a; sleep 0.3; echo a
echo b
#DLP BARRIER
#DLP PREFIX cd "$WHERE";
#DLP SUFFIX
wc -l <log
`

func TestBarrier(t *testing.T) {
	for _, launcher := range [][]string{nil, {"ameexec", "-n", "3"}} {
		cmd := dlpMap(t, "-q", "-j", "2", "-a", file(t, barriers))
		if launcher != nil {
			cmd = underRanks(t, binaries(t), launcher, "-q", "-j", "2", "-a", file(t, barriers))
		}
		cmd.Env = append(cmd.Env, "WHERE="+t.TempDir())
		assert.Equal(t, result{0, "3\n", ""}, finish(t, cmd))
	}
}

// What has failed before a barrier with CHECK keeps what follows from being done,
// now and when an earlier start has done the rest.
func TestBarrierChecks(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	list := "true\n#DLP BARRIER CHECK\necho once\nexit 3\n#DLP BARRIER\necho twice\n#DLP BARRIER CHECK\necho never\n"
	for _, want := range []string{"once\ntwice\n", ""} {
		r := runMap(t, list, "-j", "2", "--journal", journal)
		assert.Equal(t, 1, r.status)
		assert.Equal(t, want, r.stdout)
		assert.Contains(t, r.stderr, "what follows #DLP BARRIER CHECK is not done")
	}
	r := runMap(t, list, "--dry-run")
	assert.Equal(t, result{0, list, ""}, r)
	r = runMap(t, "true\n#DLP BARIER\n")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, `items: "#DLP BARIER": want #DLP BARRIER`)
}
