package bootstrap

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// TestMain runs the tests, or what a launcher was told to start: the test
// binary is its own rank, see rank_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv(rankRole); role != "" {
		os.Exit(runRank(role))
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// mapEnv is the environment of a table.
type mapEnv map[string]string

func (m mapEnv) lookup(name string) (string, bool) {
	value, ok := m[name]
	return value, ok
}

// with returns a copy with further variables.
func (m mapEnv) with(pairs ...string) mapEnv {
	out := mapEnv{}
	for name, value := range m {
		out[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// without returns a copy that lacks a variable.
func (m mapEnv) without(name string) mapEnv {
	out := m.with()
	delete(out, name)
	return out
}
