package bootstrap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// hold keeps a name for this process, as long as it lives or until release is
// called, or returns an error if another process of this user on this node has
// it. The name is that of a socket which is in no directory (unix(7), abstract),
// so nothing is left behind. Where that does not work, or somebody else sits on
// the name, nothing is held and that is no error.
func hold(name string) (release func(), err error) {
	release = func() {}
	address := &net.UnixAddr{Name: "@dlp-go/" + name, Net: "unix"}
	socket, err := net.ListenUnix("unix", address)
	if err == nil {
		return func() { socket.Close() }, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return release, nil
	}
	conn, err := net.DialUnix("unix", nil, address)
	if err != nil {
		return release, nil
	}
	defer conn.Close()
	switch holder, err := peerOf(conn); {
	case err != nil || int(holder.Uid) != os.Geteuid():
		return release, nil
	case int(holder.Pid) == os.Getpid():
		return release, errors.New("this process is the rank already: Init was called before, and its Comm is not closed")
	default:
		return release, fmt.Errorf("process %d is the rank already: has this task started two programs at the same time? "+
			"Start one after the other, or each on its own with AME_BOOTSTRAP=single", holder.Pid)
	}
}

// peerOf is who listens at the other end of a connection.
func peerOf(conn *net.UnixConn) (peer *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	err2 := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return peer, errors.Join(err, err2)
}
