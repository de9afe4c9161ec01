package pmi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimitsOf(t *testing.T) {
	tests := []struct {
		name, line string
		want       limits
	}{
		{"as hydra announces", "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024", limits{63, 650}},
		{"larger than we trust", "cmd=maxes keylen_max=4096 vallen_max=65536", limits{63, 650}},
		{"smaller", "cmd=maxes keylen_max=32 vallen_max=256", limits{31, 255}},
		{"absent", "cmd=maxes", limits{63, 650}},
		{"nonsense", "cmd=maxes keylen_max=-1 vallen_max=x", limits{63, 650}},
		{"zero", "cmd=maxes keylen_max=0 vallen_max=0", limits{63, 650}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := parseMessage(tt.line)
			require.NoError(t, err)
			assert.Equal(t, tt.want, limitsOf(m))
		})
	}
}

func TestCheckKeyAndValue(t *testing.T) {
	l := limits{63, 650}
	assert.NoError(t, l.checkKey("dlp-root.1_a"))
	assert.NoError(t, l.checkKey(strings.Repeat("k", 63)))
	for _, key := range []string{"", strings.Repeat("k", 64), "a b", "a=b", "a\nb", "ä", "a[0]"} {
		assert.Error(t, l.checkKey(key), "%q", key)
	}
	assert.NoError(t, l.checkValue("10.0.0.1:40213,c2VjcmV0/+=="))
	assert.NoError(t, l.checkValue(strings.Repeat("v", 650)))
	for _, value := range []string{"", strings.Repeat("v", 651), "a b", "a;b", `a\b`, "a\tb", "a\nb", "ä"} {
		assert.Error(t, l.checkValue(value), "%q", value)
	}
}

func TestSplit(t *testing.T) {
	for _, length := range []int{0, 1, 95, 96, 97, 192, 193, 5000} {
		value := strings.Repeat("0123456789", 500)[:length]
		parts, err := split(value, 100)
		require.NoError(t, err)
		head, count, err := splitHead(parts[0])
		require.NoError(t, err)
		assert.Equal(t, len(parts), count)
		assert.Equal(t, value, head+strings.Join(parts[1:], ""))
		for _, part := range parts {
			assert.LessOrEqual(t, len(part), 100)
			assert.NotEmpty(t, part)
		}
	}
	_, err := split("value", 4)
	assert.Error(t, err)
	_, err = split(strings.Repeat("x", 1_000_000), 100)
	assert.Error(t, err)
	for _, part := range []string{"", "1", ".a", "0.a", "-1.a", "1000.a", "x.a", "99999999999999999999.a"} {
		_, _, err := splitHead(part)
		assert.Error(t, err, "%q", part)
	}
}
