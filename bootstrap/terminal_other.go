//go:build !linux

package bootstrap

import "os"

// isTerminal does not matter: Slurm's terminals are on Linux.
func isTerminal(*os.File) bool { return false }
