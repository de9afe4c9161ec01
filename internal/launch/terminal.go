package launch

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsTerminal says whether file is a terminal. /dev/null is a device too, but
// none that a user types into.
func IsTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), getTermios)
	return err == nil
}

// defaultWidth is that of a terminal which does not tell, in columns.
const defaultWidth = 80

// TerminalWidth returns how many columns the terminal at stderr has.
func TerminalWidth() int {
	size, err := unix.IoctlGetWinsize(int(os.Stderr.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return defaultWidth
	}
	return int(size.Col)
}

// IsDumb says whether a terminal of that name may not understand the control
// sequences that keep a line below the output.
func IsDumb(name string) bool { return name == "" || name == "dumb" }
