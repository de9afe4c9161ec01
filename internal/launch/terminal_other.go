//go:build !linux

package launch

import "golang.org/x/sys/unix"

// getTermios is the request for the attributes of a terminal.
const getTermios = unix.TIOCGETA
