//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

func binder() (bind func(rank int) error, undo func(), err error) {
	return nil, nil, fmt.Errorf("--bind-to core: not possible on %s", runtime.GOOS)
}
