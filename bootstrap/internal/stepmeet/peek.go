package stepmeet

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// startsWith says whether the first bytes that come over conn are prefix. It
// leaves them to the next reader, so that conn stays the bare TCP connection.
// It blocks until it is sure, or conn's deadline passes.
func startsWith(conn net.Conn, prefix string) (bool, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false, errors.New("not a socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false, err
	}
	seen := make([]byte, len(prefix))
	n := 0
	var failure error
	err = raw.Read(func(fd uintptr) bool {
		n, _, failure = syscall.Recvfrom(int(fd), seen, syscall.MSG_PEEK)
		if n = max(n, 0); failure == nil && n == 0 {
			failure = io.EOF
		}
		if errors.Is(failure, syscall.EAGAIN) || errors.Is(failure, syscall.EINTR) {
			return false
		}
		return failure != nil || n == len(prefix) || string(seen[:n]) != prefix[:n]
	})
	if err == nil {
		err = failure
	}
	return err == nil && n == len(prefix) && string(seen) == prefix, err
}
