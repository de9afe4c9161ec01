//go:build !linux

package main

import (
	"runtime"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/need"
)

func requireSubreaper(t *testing.T) {
	need.Unable(t, "there is no subreaper on %s, so daemons get away there", runtime.GOOS)
}
