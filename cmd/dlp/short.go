package main

import (
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// attached is an option with its number behind it, as users of xargs and GNU
// parallel write them.
var attached = regexp.MustCompile(`^(-[jnC])(.+)$`)

// detach separates such numbers from the options of a command line, as far as
// these go: -j4 becomes -j 4.
func detach(args []string, flags []cli.Flag) []string {
	takes := valued(flags)
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name := strings.TrimLeft(arg, "-")
		if name == arg || arg == "--" {
			return append(out, args[i:]...)
		}
		if takes[name] && i+1 < len(args) {
			out = append(out, arg, args[i+1])
			i++
			continue
		}
		if parts := attached.FindStringSubmatch(arg); parts != nil && !strings.Contains(arg, "=") {
			if _, known := takes[name]; !known {
				out = append(out, parts[1], parts[2])
				continue
			}
		}
		out = append(out, arg)
	}
	return out
}

// valued returns all names of flags, and whether a value comes behind each.
func valued(flags []cli.Flag) map[string]bool {
	takes := make(map[string]bool)
	for _, flag := range flags {
		doc, ok := flag.(cli.DocGenerationFlag)
		for _, name := range flag.Names() {
			takes[name] = ok && doc.TakesValue()
		}
	}
	return takes
}
