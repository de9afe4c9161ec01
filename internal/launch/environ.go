package launch

import (
	"slices"
	"strings"
)

// Overlay returns environ with the variables of pairs, NAME=VALUE, set in it;
// later ones win.
func Overlay(environ []string, pairs ...string) []string {
	out := slices.Clone(environ)
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		out = slices.DeleteFunc(out, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		out = append(out, pair)
	}
	return out
}
