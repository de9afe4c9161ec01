package process

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestParse(t *testing.T) {
	const rest = " S 7 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9 9"
	for name, test := range map[string]struct {
		text string
		want Info
	}{
		"plain":       {"41 (sh)" + rest, Info{41, 7, "sh", 123456}},
		"odd name":    {"41 (a) S 1 (b c)" + rest, Info{41, 7, "a) S 1 (b c", 123456}},
		"empty name":  {"41 ()" + rest, Info{41, 7, "", 123456}},
		"short":       {"41 (sh) S 7", Info{}},
		"no name":     {"41 sh" + rest, Info{}},
		"no number":   {"x (sh)" + rest, Info{}},
		"empty":       {"", Info{}},
		"parentheses": {")(", Info{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse([]byte(test.text))
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.want == Info{}, err != nil)
		})
	}
}

func TestSelf(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		need.Unable(t, "this system has no /proc")
	}
	self, err := Self()
	require.NoError(t, err)
	assert.Equal(t, os.Getpid(), self.PID)
	assert.Equal(t, os.Getppid(), self.Parent)
	assert.NotZero(t, self.Start)
	parent, err := Read(self.Parent)
	require.NoError(t, err)
	assert.LessOrEqual(t, parent.Start, self.Start)
	_, err = Read(0)
	require.Error(t, err)
}
