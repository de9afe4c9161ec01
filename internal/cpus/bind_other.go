//go:build !linux

package cpus

import (
	"fmt"
	"runtime"
)

// Cores are not told here.
func Cores() ([][]int, error) {
	return nil, fmt.Errorf("usable cores: not known on %s", runtime.GOOS)
}

// Bind is not possible here.
func Bind([]int) (undo func(), err error) {
	return nil, fmt.Errorf("bind to processors: not possible on %s", runtime.GOOS)
}
