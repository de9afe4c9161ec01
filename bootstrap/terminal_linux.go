package bootstrap

import (
	"os"

	"golang.org/x/sys/unix"
)

// isTerminal says whether file is a terminal. /dev/null is a device too.
func isTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
