package main

import (
	"fmt"

	"github.com/dlp-mpi/dlp-go/internal/cpus"
)

// binder returns a function that binds this thread, and what it starts from
// then on, to the core for a rank, the number of cores, and a function that
// undoes the binding.
func binder() (bind func(rank int) error, count int, undo func(), err error) {
	found, err := cpus.Cores()
	if err != nil {
		return nil, 0, nil, fmt.Errorf("--bind-to core: %w", err)
	}
	undo = func() {}
	bind = func(rank int) error {
		first, err := cpus.Bind(found[rank%len(found)])
		if err != nil {
			return fmt.Errorf("--bind-to core: rank %d: %w", rank, err)
		}
		if rank == 0 {
			undo = first // later ones would go back to the core of the rank before
		}
		return nil
	}
	return bind, len(found), func() { undo() }, nil
}
