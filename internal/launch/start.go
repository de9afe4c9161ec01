package launch

import (
	"errors"
	"fmt"
	"syscall"
)

// Start starts a program, which is at path, and returns its pid. The error says
// what a user can do; where the program is at fault it is a *StatusError.
func Start(path string, args []string, attributes *syscall.ProcAttr) (pid int, err error) {
	pid, err = syscall.ForkExec(path, args, attributes)
	switch {
	case err == nil:
		return pid, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return 0, fmt.Errorf("%w: the limit of processes or of memory is reached (ulimit -u, pids.max of the control group)", err)
	case errors.Is(err, syscall.E2BIG):
		return 0, withStatus(StatusNotRunnable, "%s: %w: arguments and environment are too long, or one of them is longer than 128 KiB", args[0], err)
	case errors.Is(err, syscall.ENOEXEC):
		return 0, withStatus(StatusNotRunnable, "%s: %w; a script needs a first line such as #!/bin/sh", args[0], err)
	case errors.Is(err, syscall.ENOENT):
		return 0, withStatus(StatusNotRunnable, "%s: its interpreter (first line of a script) or loader is missing", args[0])
	default:
		return 0, withStatus(StatusNotRunnable, "%s: %w", args[0], err)
	}
}
