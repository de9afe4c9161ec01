//go:build !linux

package launch

import "os"

// Unnamed opens a file for reading and appending that has no name in its
// directory, so that nothing of it stays.
func Unnamed(dir string) (*os.File, error) { return removed(dir) }
