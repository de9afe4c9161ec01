package ame

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel gives up on a peer that has vanished with data on its way to it,
// such as a node that lost power, only after 15 minutes: keep-alive probes are
// not sent then. TCP_USER_TIMEOUT would end the connection sooner, but also
// one whose peer has merely been stopped with a full buffer (scontrol suspend,
// Ctrl-Z, a debugger) and would go on. A vanished peer is one whose
// retransmissions nobody answers, or, when its window is full, whose window
// probes nobody answers, while a stopped one's kernel answers both.

const (
	// silence is how long nothing has come from a vanished peer.
	silence = 30 * time.Second

	// unansweredTries is how many retransmissions or window probes in a row
	// have had no answer, at least.
	unansweredTries = 3
)

// vanished says whether the system at the other end of conn has stopped to answer.
func vanished(conn net.Conn) bool {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	var info *unix.TCPInfo
	raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return err == nil && info != nil && unanswered(info)
}

func unanswered(info *unix.TCPInfo) bool {
	return max(info.Retransmits, info.Probes) >= unansweredTries && time.Duration(info.Last_ack_recv)*time.Millisecond >= silence
}
