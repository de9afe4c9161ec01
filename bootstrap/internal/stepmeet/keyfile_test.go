package stepmeet

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/secret"
)

func TestKeyFileChecks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	good := secret.New().Encode()
	for _, test := range []struct{ path, message string }{
		{write("open", good, 0o640), "is not used: its mode -rw-r----- lets others in: chmod 600"},
		{write("short", "c2hvcnQ=", 0o600), "(8 bytes, not shown): decodes to 5 bytes"},
		{write("empty", "", 0o600), "(0 bytes, not shown)"},
		{dir, "is not used: it is no regular file"},
	} {
		_, err := makeKeyFile(t.Context(), test.path)
		require.ErrorContains(t, err, test.message)
		require.NotContains(t, err.Error(), "c2hvcnQ")
	}
	if os.Geteuid() == 0 {
		path := write("foreign", good, 0o600)
		require.NoError(t, os.Chown(path, 12345, -1))
		_, err := makeKeyFile(t.Context(), path)
		require.ErrorContains(t, err, "belongs to user 12345, this process to 0")
	}
	_, err := makeKeyFile(t.Context(), filepath.Join(write("file", good, 0o600), "key"))
	require.ErrorContains(t, err, "not a directory")
}

func TestKeyFileOfManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a/b/key")
	keys := make([][]byte, 64)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			keys[i], err = makeKeyFile(t.Context(), path)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	for _, key := range keys {
		assert.Equal(t, keys[0], key)
	}
}
