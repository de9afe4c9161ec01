//go:build linux || darwin || freebsd

package pmi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkDescriptor says why fd cannot be the connection to a launcher that this
// process inherited. It neither reads nor changes anything.
//
// The number in PMI_FD proves nothing: launchers in between close descriptors
// and pass variables on, and this program may since have been given the number
// for something else. What was inherited is not close-on-exec, what a Go
// program opens is; that tells them apart however late the check comes.
func checkDescriptor(fd int) error {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if errno != 0 {
		return fmt.Errorf("descriptor %d is not open", fd)
	}
	if flags&syscall.FD_CLOEXEC != 0 {
		return fmt.Errorf("descriptor %d is not inherited, this program opened it", fd)
	}
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil || kind != syscall.SOCK_STREAM {
		return fmt.Errorf("descriptor %d is not a stream socket", fd)
	}
	address, err := syscall.Getpeername(fd)
	if err != nil {
		return fmt.Errorf("descriptor %d is a socket without a peer", fd)
	}
	switch address.(type) {
	case *syscall.SockaddrUnix, *syscall.SockaddrInet4, *syscall.SockaddrInet6:
	default:
		return fmt.Errorf("descriptor %d is a socket of a strange family", fd)
	}
	// No launcher speaks first: at a live connection there is nothing to read.
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil || n <= 0:
		return fmt.Errorf("the launcher has closed descriptor %d", fd)
	}
	return fmt.Errorf("descriptor %d has unread data, another program talked to the launcher before", fd)
}

// openDescriptor takes fd over. The number is free afterwards: the connection
// has one of its own, which children do not inherit.
func openDescriptor(fd int) (net.Conn, error) {
	syscall.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "PMI_FD")
	conn, err := net.FileConn(file)
	return conn, errors.Join(err, file.Close())
}

// Pair returns the two ends of a new connection: one for a Server, and one for
// a child, which is to be closed as soon as the child has started; otherwise
// the end of the child is never noticed.
func Pair() (server net.Conn, child *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("pmi: socketpair: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "pmi server")
	server, err = net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("pmi: socketpair: %w", err), syscall.Close(fds[1]))
	}
	return server, os.NewFile(uintptr(fds[1]), "pmi client"), nil
}
