package source

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDirectives(t *testing.T) {
	text := `a
#DLP BARRIER
b
#DISBATCH PREFIX ( cd dir; 
#DISBATCH SUFFIX  ) >log
c
# no directive
#DLP BARRIER CHECK
#DLP BARRIER
#DLP PREFIX
#DLP SUFFIX
#DLPX
#DLP BARRIER
`
	var items []Item
	for item, err := range Directives(Lines(strings.NewReader(text), '\n', "")) {
		require.NoError(t, err)
		items = append(items, item)
	}
	assert.Equal(t, []Item{
		{Columns: []string{"a"}},
		{Columns: []string{"b"}, Barrier: AfterAll},
		{Columns: []string{"( cd dir; c ) >log"}},
		{Columns: []string{"( cd dir; # no directive ) >log"}},
		{Columns: []string{"#DLPX"}, Barrier: AfterSuccess},
	}, items)

	for text, want := range map[string]string{
		"#DLP BARIER": "want #DLP BARRIER", "#DLP": "want #DLP BARRIER", "#DISBATCH REPEAT 5 x": "--range", "#DLP BARRIER all": "want #DLP",
	} {
		got := ""
		for _, err := range Directives(Lines(strings.NewReader("a\n"+text+"\nb\n"), '\n', "")) {
			if err != nil {
				got = err.Error()
			}
		}
		assert.Contains(t, got, want)
	}
}
