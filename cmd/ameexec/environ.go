package main

import (
	"slices"
	"strings"
)

// overlay sets the variables of pairs in environ; later ones win.
func overlay(environ []string, pairs ...string) []string {
	out := slices.Clone(environ)
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		out = slices.DeleteFunc(out, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		out = append(out, pair)
	}
	return out
}
