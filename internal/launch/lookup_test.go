package launch

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindProgramHints(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("plain", nil, 0o644))
	require.NoError(t, os.WriteFile("ready", nil, 0o755))
	for name, want := range map[string]string{
		"ready":  "ready: not found in PATH; for the file in this directory write ./ready",
		"plain":  "plain: not found in PATH; ./plain in this directory: not executable; chmod +x makes it so",
		"absent": "absent: not found in PATH",
		"":       "the name of the program is empty",
	} {
		_, err := FindProgram(name, "", "/bin")
		assert.EqualError(t, err, want)
	}
}
