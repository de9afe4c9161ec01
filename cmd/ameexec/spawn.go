package main

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// service is something that every rank reaches over an inherited descriptor of
// its own, such as control.Server. The variables of Environ tell the rank
// the descriptor's number.
type service interface {
	Child(rank int) (*os.File, error)
	Environ(rank, descriptor int) []string
	Exited(rank int, how string)
	Close() error
}

// firstDescriptor is the number of the first inherited descriptor after
// stdin, stdout and stderr.
const firstDescriptor = 3

// spawner starts the ranks of a plan, in their order.
type spawner struct {
	plan     *plan
	output   *output
	services []service
	environ  []string
	null     *os.File
	bind     func(rank int) error // nil: do not bind
}

// spawn starts one rank and returns its pid, which is its process group too.
// It must run on the main thread, with which the rank dies.
func (s *spawner) spawn(rank int, p program) (pid int, err error) {
	var mine []*os.File // to close here when the rank has its own
	defer func() {
		for _, file := range mine {
			file.Close()
		}
	}()
	stdin := s.null
	if rank == s.plan.StdinRank {
		stdin = os.Stdin
	}
	stdout, stderr, piped, err := s.output.rank(rank)
	if err != nil {
		return 0, err
	}
	if piped {
		mine = append(mine, stdout, stderr)
	}
	files := []*os.File{stdin, stdout, stderr}
	environ := s.environ
	for i, service := range s.services {
		file, err := service.Child(rank)
		if err != nil {
			return 0, err
		}
		mine = append(mine, file)
		files = append(files, file)
		environ = launch.Overlay(environ, service.Environ(rank, firstDescriptor+i)...)
	}
	if p.Dir != "" {
		if dir, err := filepath.Abs(p.Dir); err == nil {
			environ = launch.Overlay(environ, "PWD="+dir)
		}
	}
	environ = launch.Overlay(environ, p.Environ...)
	if s.bind != nil {
		if err := s.bind(rank); err != nil {
			return 0, err
		}
	}
	return start(p, environ, files)
}

func start(p program, environ []string, files []*os.File) (int, error) {
	attributes := &syscall.ProcAttr{Dir: p.Dir, Env: environ, Sys: rankAttributes()}
	for _, file := range files {
		attributes.Files = append(attributes.Files, file.Fd())
	}
	return launch.Start(p.Path, p.Args, attributes)
}
