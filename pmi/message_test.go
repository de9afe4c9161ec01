package pmi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseMessage(t *testing.T) {
	tests := []struct {
		name, line string
		key, value string
		absent     bool
	}{
		{"rc last", "cmd=put_result pmi_version=1 rc=0", "rc", "0", false},
		{"rc first", "cmd=put_result rc=0 pmi_version=1", "pmi_version", "1", false},
		{"command not first", "rc=0 cmd=put_result", "cmd", "put_result", false},
		{"absent", "cmd=barrier_out", "rc", "", true},
		{"first occurrence wins", "cmd=get_result value=a value=b", "value", "a", false},
		{"field after the value", "cmd=get_result rc=0 value=a:1 found=TRUE", "value", "a:1", false},
		{"equals signs in the value", "cmd=get_result rc=0 value=a=b==", "value", "a=b==", false},
		{"empty value", "cmd=get_result rc=0 value=", "value", "", false},
		{"runs of spaces", "  cmd=get_result   rc=0  value=x ", "value", "x", false},
		{"a word is no pair", "cmd=get_result value", "value", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := parseMessage(tt.line)
			require.NoError(t, err)
			value, ok := m.get(tt.key)
			assert.Equal(t, !tt.absent, ok)
			assert.Equal(t, tt.value, value)
		})
	}
	for _, line := range []string{"", " ", "rc=0", "cmd", "cmd=", "=", "\x00\xff"} {
		_, err := parseMessage(line)
		assert.Error(t, err, "%q", line)
	}
}

func TestMessageNumber(t *testing.T) {
	m, err := parseMessage("cmd=maxes keylen_max=64 vallen_max=many")
	require.NoError(t, err)
	n, err := m.number("keylen_max")
	require.NoError(t, err)
	assert.Equal(t, 64, n)
	_, err = m.number("vallen_max")
	assert.Error(t, err)
	_, err = m.number("kvsname_max")
	assert.Error(t, err)
}

func TestAppendMessage(t *testing.T) {
	assert.Equal(t, "cmd=barrier_in\n", string(appendMessage(nil, "barrier_in")))
	assert.Equal(t, "cmd=get kvsname=k key=a\n", string(appendMessage(nil, "get", "kvsname", "k", "key", "a")))
}

func TestErrorTextHidesValues(t *testing.T) {
	m, err := parseMessage("cmd=get_result rc=0 value=hunter2 found=TRUE more")
	require.NoError(t, err)
	assert.NotContains(t, m.String(), "hunter2")
	assert.Contains(t, m.String(), "cmd=get_result")
	assert.NotContains(t, quote("value=hunter2"), "hunter2")
	assert.Less(t, len(quote(strings.Repeat("\x00", 1<<20))), 2000)
}

func FuzzParseMessage(f *testing.F) {
	for _, line := range []string{
		"cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=2", "cmd=get_result rc=0 value=a=b found=TRUE",
		"cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024", "mcmd=spawn", "cmd=put value=a b", "",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.ReplaceAll(line, "\n", "")
		m, err := parseMessage(line)
		if err != nil {
			return
		}
		// What was parsed can be written and parsed again.
		var pairs []string
		for _, f := range m.fields {
			if f.pair && f.key != "cmd" {
				pairs = append(pairs, f.key, f.value)
			}
		}
		again, err := parseMessage(strings.TrimSuffix(string(appendMessage(nil, m.command(), pairs...)), "\n"))
		require.NoError(t, err)
		for i := 0; i < len(pairs); i += 2 {
			want, _ := m.get(pairs[i])
			got, ok := again.get(pairs[i])
			require.True(t, ok)
			require.Equal(t, want, got)
		}
		_ = m.String()
	})
}
