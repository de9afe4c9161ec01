package ame

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPairKeys(t *testing.T) {
	k := newPairKeys()
	assert.Len(t, k.of(1, 2), pairKeySize)
	assert.Equal(t, k.of(1, 2), k.of(2, 1))
	assert.NotEqual(t, k.of(1, 2), k.of(1, 3))
	assert.NotEqual(t, k.of(1, 2), newPairKeys().of(1, 2), "each job has its own")

	var ring keyring
	assert.Nil(t, ring.with(2))
	said, err := ring.take(2, append([]byte("said"), k.of(1, 2)...))
	require.NoError(t, err)
	assert.Equal(t, "said", string(said))
	assert.Equal(t, k.of(1, 2), ring.with(2))
	assert.Nil(t, ring.with(3))
	_, err = ring.take(3, make([]byte, pairKeySize-1))
	assert.Error(t, err)
}
