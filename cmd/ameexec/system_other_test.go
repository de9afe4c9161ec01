//go:build !linux

package main

import (
	"runtime"
	"testing"
)

func requireSubreaper(t *testing.T) {
	t.Skip("there is no subreaper on " + runtime.GOOS + ", so daemons get away there")
}
