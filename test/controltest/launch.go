// Package controltest is ameexec without its processes.
package controltest

import (
	"os"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// Server is control.Server, which has tests of its own that use Launch.
type Server interface {
	Child(rank int) (*os.File, error)
	Environ(rank, descriptor int) []string
	Close() error
}

// Launch makes a server the launcher of a job of size ranks in this process
// and returns the environment of each rank. Server and descriptors close with
// the test.
func Launch(t *testing.T, server Server, size int) []fakeenv.Map {
	var files []*os.File
	envs := make([]fakeenv.Map, size)
	for rank := range size {
		file, err := server.Child(rank)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		envs[rank] = fakeenv.Of(server.Environ(rank, int(file.Fd()))...)
	}
	t.Cleanup(func() {
		for _, file := range files {
			file.Close()
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return envs
}
