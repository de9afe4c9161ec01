package launch

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHasMark(t *testing.T) {
	for environ, want := range map[string]bool{
		"A=1\x00" + MarkVariable + "=xy\x00B=2\x00": true,
		MarkVariable + "=outer xy inner":            true,
		MarkVariable + "=xyz":                       false,
		"OTHER=xy\x00":                              false,
		"X" + MarkVariable + "=xy":                  false,
		"":                                          false,
	} {
		assert.Equal(t, want, hasMark([]byte(environ), "xy"), "%q", environ)
	}
}
