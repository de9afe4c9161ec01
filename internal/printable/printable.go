// Package printable makes texts from elsewhere safe to print.
package printable

import (
	"strings"
	"unicode"
)

// Text replaces what a text of another process could do to a terminal: all
// characters that cannot be seen, but for ends of lines and tabs.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return '?'
	}, s)
}
