package source

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBlocks(t *testing.T) {
	tests := []struct {
		text        string
		end         byte
		size, lines int
		want        []string
	}{
		{"", '\n', 4, 1, nil},
		{"a\nb\nc\n", '\n', 4, 1, []string{"a\nb\n", "c\n"}},
		{"a\nb\nc", '\n', 100, 1, []string{"a\nb\nc"}},
		{"long line\nb\n\n\nc\n", '\n', 4, 1, []string{"long line\n", "b\n\n\n", "c\n"}},
		{"a\nb\nc\n", '\n', 100, 2, []string{"a\nb\n", "c\n"}},
		{"a\n\x00b\x00", 0, 3, 1, []string{"a\n\x00", "b\x00"}},
	}
	for _, test := range tests {
		var got []string
		for item, err := range Blocks(strings.NewReader(test.text), test.end, test.size, test.lines) {
			require.NoError(t, err)
			got = append(got, item.Text())
		}
		assert.Equal(t, test.want, got, "%q", test.text)
		assert.Equal(t, test.text, strings.Join(got, ""))
	}
	for range Blocks(strings.NewReader("a\nb\n"), '\n', 2, 1) {
		break // no more is read
	}
}

// What was read before an error is an item, as it is of Lines.
func TestBlocksOfABrokenSource(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(errors.New("broken")))
	var got []string
	var failed error
	for item, err := range Blocks(broken, '\n', 2, 1) {
		if failed = err; err == nil {
			got = append(got, item.Text())
		}
	}
	assert.Equal(t, []string{"a\n", "b\n"}, got)
	assert.EqualError(t, failed, "line 3: broken")
}
