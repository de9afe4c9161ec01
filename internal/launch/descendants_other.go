//go:build !linux

package launch

import "syscall"

// Descendants are not listed here; see Sweep.
func Descendants(map[int]bool) []int { return nil }

// Below lists nothing here either.
func Below(int, map[int]bool) []int { return nil }

// Sweep kills the process groups and returns how many of them there were.
func Sweep(groups []int, _ map[int]bool) int {
	alive := 0
	for _, group := range groups {
		if syscall.Kill(-group, syscall.SIGKILL) == nil {
			alive++
		}
	}
	return alive
}
