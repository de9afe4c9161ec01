package pmi

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// said is one line of a recorded dialogue, see testdata/README.md.
type said struct {
	rank     int
	byClient bool
	line     string
}

func readDialogue(t *testing.T, name string) []said {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var all []said
	for text := range strings.Lines(string(data)) {
		text = strings.TrimSuffix(text, "\n")
		var s said
		if first, rest, _ := strings.Cut(text, " "); first != ">" && first != "<" {
			s.rank, err = strconv.Atoi(first)
			require.NoError(t, err, text)
			text = rest
		}
		s.byClient = text[0] == '>'
		s.line = text[2:]
		all = append(all, s)
	}
	return all
}

// dialects are the launchers whose replies are recorded, and the file of one
// of their ranks.
var dialects = []struct{ name, file string }{
	{"hydra 4.0.2", "hydra-4.0.2/basic.rank1.txt"},
	{"hydra 4.2.0", "hydra-4.2.0/basic.rank1.txt"},
	{"hydra 5.0.1", "hydra-5.0.1/basic.rank1.txt"},
	{"Slurm 22.05.8", "slurm-22.05.8/basic.rank1.txt"},
	{"Flux", "flux-rfc13/basic.rank0.txt"},
}
