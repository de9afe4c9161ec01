//go:build !linux

package launch

// killMarked finds nothing here: there is no /proc.
func killMarked(string) int { return 0 }
