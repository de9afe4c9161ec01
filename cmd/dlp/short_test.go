package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDetach(t *testing.T) {
	for text, want := range map[string]string{
		"-j4 echo -j4":                 "-j 4 echo -j4",
		"-k -n2 -j 4 echo":             "-k -n 2 -j 4 echo",
		"-a -j4 echo":                  "-a -j4 echo",
		"-j=4 --null -0 -- -j4":        "-j=4 --null -0 -- -j4",
		"--jobs 3 -j4":                 "--jobs 3 -j 4",
		"-null echo":                   "-null echo",
		"-C, echo":                     "-C , echo",
		"--joblog -j1 --no-bind -j1 x": "--joblog -j1 --no-bind -j 1 x",
		"":                             "",
	} {
		assert.Equal(t, strings.Fields(want), append([]string{}, detach(strings.Fields(text), mapFlags())...), text)
	}
}
