package printable

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	assert.Equal(t, "two\n\tlines, ä, 日本", Text("two\n\tlines, ä, 日本"))
	assert.Equal(t, "?[2J?]0;title?over?", Text("\x1b[2J\x1b]0;title\aover\r"))
	assert.Equal(t, "?[31m?", Text("\u009b[31m\x7f"))
}
