package pmix

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNativeCredential(t *testing.T) {
	b, err := credential(t.Context(), "native")
	require.NoError(t, err)
	require.Len(t, b, 8)
	assert.EqualValues(t, os.Geteuid(), binary.NativeEndian.Uint32(b))
	assert.EqualValues(t, os.Getegid(), binary.NativeEndian.Uint32(b[4:]))
}

func TestMungeCredential(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("PATH", directory)
	_, err := credential(t.Context(), "munge")
	assert.ErrorContains(t, err, "takes only munge credentials")

	munge := filepath.Join(directory, "munge")
	require.NoError(t, os.WriteFile(munge, []byte("#!/bin/sh\necho MUNGE:$1:\n"), 0o700))
	b, err := credential(t.Context(), "munge")
	require.NoError(t, err)
	assert.Equal(t, "MUNGE:--no-input:\x00", string(b))

	require.NoError(t, os.WriteFile(munge, []byte("#!/bin/sh\necho 'munge: Error: Failed to access socket' >&2; exit 6\n"), 0o700))
	_, err = credential(t.Context(), "munge")
	assert.ErrorContains(t, err, "exit status 6 munge: Error: Failed to access socket")
}
