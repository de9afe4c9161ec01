package dlpgo_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// No test may hang: every package with tests hands them to package deadline.
func TestEveryPackageHasDeadlines(t *testing.T) {
	wants, has := make(map[string]bool), make(map[string]bool)
	test := regexp.MustCompile(`(?m)^func (Test|Fuzz)\w*\(\w+ \*testing\.[TF]\)`)
	hands := regexp.MustCompile(`deadline\.Each\(|tests := Each\(m\)`)
	require.NoError(t, filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (len(path) > 1 && path[0] == '.' || entry.Name() == "testdata"):
			return filepath.SkipDir
		case !regexp.MustCompile(`_test\.go$`).MatchString(path):
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		folder := filepath.Dir(path)
		wants[folder] = wants[folder] || test.Match(text)
		has[folder] = has[folder] || hands.Match(text)
		return nil
	}))
	assert.NotEmpty(t, wants)
	for folder := range wants {
		if wants[folder] && !has[folder] {
			t.Errorf("%s: a test that hangs there would wait for the timeout of the whole package; write\n"+
				"\tfunc TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }", folder)
		}
	}
}
