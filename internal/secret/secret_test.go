package secret

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeyHides(t *testing.T) {
	key := New()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		assert.NotContains(t, fmt.Sprintf(verb, struct{ Key Key }{key}), key.Encode())
		assert.Contains(t, fmt.Sprintf(verb, key), "secret", verb)
	}
	text, err := json.Marshal(map[string]Key{"key": key})
	require.NoError(t, err)
	assert.Equal(t, `{"key":"(secret)"}`, string(text))
}

func TestParse(t *testing.T) {
	key := New()
	again, err := Parse(" " + key.Encode()[:20] + "\n" + key.Encode()[20:] + "\n")
	require.NoError(t, err)
	assert.Equal(t, key.Bytes(), again.Bytes())
	assert.NotEqual(t, key.Bytes(), New().Bytes())
	for text, says := range map[string]string{"": "decodes to 0 bytes, at least 32 are needed", "c2VjcmV0": "decodes to 6 bytes", "hunter2!": "not base64"} {
		_, err := Parse(text)
		require.ErrorContains(t, err, says)
		if text != "" {
			assert.NotContains(t, err.Error(), text)
		}
	}
}

func TestMACKeepsUsesApart(t *testing.T) {
	key := New().Bytes()
	assert.Equal(t, MAC(key, "a", []byte("m")), MAC(key, "a", []byte("m")))
	assert.NotEqual(t, MAC(key, "a", []byte("m")), MAC(key, "b", []byte("m")))
	assert.NotEqual(t, MAC(key, "a", []byte("m")), MAC(New().Bytes(), "a", []byte("m")))
}
