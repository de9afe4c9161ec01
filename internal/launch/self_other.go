//go:build !linux

package launch

import "os"

// SelfPath is the path of this very program.
func SelfPath() (string, error) { return os.Executable() }

// noexecMount does not know here.
func noexecMount(string) string { return "" }

// Rename does nothing: the name is that of the first argument.
func Rename(string) {}
