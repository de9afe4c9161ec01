package file

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever somebody has put under the name, with whatever mode: it is taken as
// it is, up to a bound, and only if nobody else could have written or read it.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"version":1}`), uint16(0o600))
	f.Add([]byte{}, uint16(0o400))
	f.Add([]byte("x"), uint16(0o644))
	f.Add(make([]byte, MaxText+2), uint16(0o600))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, mode uint16) {
		at := File{Dir: dir, Name: "f"}
		perm := os.FileMode(mode)&0o777 | 0o400
		require.NoError(t, os.WriteFile(at.Path(), content, 0o600))
		require.NoError(t, os.Chmod(at.Path(), perm))
		text, err := at.read()
		require.NoError(t, os.Remove(at.Path()))
		if perm&0o077 != 0 {
			assert.ErrorContains(t, err, "lets others in")
			assert.Empty(t, text)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, string(content[:min(len(content), MaxText+1)]), text)
	})
}
