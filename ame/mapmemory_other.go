//go:build !unix

package ame

// mapMemory returns n bytes, which here go with the garbage.
func mapMemory(n int) ([]byte, error) { return make([]byte, n), nil }

func unmapMemory([]byte) {}
