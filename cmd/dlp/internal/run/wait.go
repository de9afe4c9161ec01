package run

import (
	"errors"
	"syscall"
)

// wait takes the status of a child that has ended, or waits for that.
func wait(pid int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			return status
		}
	}
}
