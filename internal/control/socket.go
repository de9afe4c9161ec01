package control

import (
	"net"
	"os"
	"syscall"

	"github.com/dlp-mpi/dlp-go/internal/socketpair"
)

// socketPair returns the ends of a new Unix stream socket, closed on exec.
func socketPair() (a, b *os.File, err error) { return socketpair.New("control") }

// sessionByte is what a descriptor travels with.
const sessionByte = 'S'

// sendDescriptor sends a descriptor over a Unix socket without waiting and
// without changing the socket, which other processes may share.
func sendDescriptor(socket, descriptor int) error {
	return syscall.Sendmsg(socket, []byte{sessionByte}, syscall.UnixRights(descriptor), nil, sendFlags)
}

// receiveDescriptor waits for the next descriptor. Descriptors that come in
// larger numbers than one at a time are closed.
func receiveDescriptor(conn *net.UnixConn) (*os.File, error) {
	var data [1]byte
	rights := make([]byte, syscall.CmsgSpace(4))
	for {
		n, rightsLen, _, _, err := conn.ReadMsgUnix(data[:], rights)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, net.ErrClosed
		}
		fds := parseDescriptors(rights[:rightsLen])
		if len(fds) == 1 && data[0] == sessionByte {
			return os.NewFile(uintptr(fds[0]), "session"), nil
		}
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}
}

func parseDescriptors(rights []byte) []int {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	var fds []int
	for _, message := range messages {
		if some, err := syscall.ParseUnixRights(&message); err == nil {
			fds = append(fds, some...)
		}
	}
	return fds
}
