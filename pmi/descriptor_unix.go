//go:build linux || darwin || freebsd

package pmi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/dlp-mpi/dlp-go/internal/socketpair"
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
	// Another process of this task that is using it may be about to read.
	if lock := (syscall.Flock_t{Type: syscall.F_WRLCK}); syscall.FcntlFlock(uintptr(fd), syscall.F_GETLK, &lock) == nil && lock.Type != syscall.F_UNLCK {
		return nil
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
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if err := claim(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// claim makes this the only process that uses the connection, until it closes
// it. Processes that a script starts side by side inherit one connection, and
// each would get answers to what the others have asked.
//
// It is the record lock of fcntl(2), which the kernel keeps for the socket and
// this process, and which nobody can hold who has not inherited the socket.
func claim(conn net.Conn) error {
	socket, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = socket.Control(func(fd uintptr) {
		locked = syscall.FcntlFlock(fd, syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
	})
	if errors.Is(locked, syscall.EAGAIN) || errors.Is(locked, syscall.EACCES) {
		return ErrBusy
	}
	return err // systems that lock no sockets do without
}

// Pair returns the two ends of a new connection: one for a Server, and one for
// a child, which is to be closed as soon as the child has started; otherwise
// the end of the child is never noticed.
func Pair() (server net.Conn, child *os.File, err error) {
	file, child, err := socketpair.New("pmi")
	if err != nil {
		return nil, nil, fmt.Errorf("pmi: %w", err)
	}
	server, err = net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("pmi: socketpair: %w", err), child.Close())
	}
	return server, child, nil
}
