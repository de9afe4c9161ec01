//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

func binder() (bind func(rank int) error, cores int, undo func(), err error) {
	return nil, 0, nil, fmt.Errorf("--bind-to core: not possible on %s", runtime.GOOS)
}
