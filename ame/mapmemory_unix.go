//go:build unix

package ame

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mapMemory returns n bytes that only unmapMemory gives back.
func mapMemory(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("%d bytes of memory: %w", n, err)
	}
	return b, nil
}

func unmapMemory(b []byte) { _ = unix.Munmap(b) } // fails for none that mapMemory has returned
