package launch

import (
	"errors"
	"io"
	"os"
	"syscall"
)

const (
	firstBuffer = 512      // most processes write little
	pumpBuffer  = 16 << 10 // of those that write more
	maxPipe     = 1 << 20  // bytes that a pipe can hold, proc_sys_fs(5), pipe-max-size
)

// Pump copies from a pipe until its end or its deadline; what the pipe still
// holds then is copied too.
func Pump(to io.Writer, from *os.File) {
	buffer := make([]byte, firstBuffer)
	for {
		n, err := from.Read(buffer)
		to.Write(buffer[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return
		}
		if n == len(buffer) && n < pumpBuffer {
			buffer = make([]byte, pumpBuffer)
		}
	}
	raw, err := from.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		for held := 0; held < maxPipe; { // a writer that got away may not end
			n, err := syscall.Read(int(fd), buffer)
			if n <= 0 || err != nil {
				return
			}
			to.Write(buffer[:n])
			held += n
		}
	})
}
