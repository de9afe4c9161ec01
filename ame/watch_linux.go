package ame

import (
	"fmt"
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
// retransmissions nobody answers, while a stopped one's kernel does.

// watchEvery is how often each link is looked at.
const watchEvery = 5 * time.Second

const (
	// silence is how long nothing has come from a vanished peer.
	silence = 30 * time.Second

	// retransmissions in a row without an answer, at least.
	retransmissions = 3
)

// watch ends the links to peers that have vanished, until there is no link.
func (j *job) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-j.drained:
			return
		case <-j.hasFailed:
			return
		}
		for _, l := range j.links {
			if l != nil && vanished(l.conn) {
				j.fail(&failure{reason: reasonLost, peer: l.peer, text: fmt.Sprintf("no answer for %v", silence)})
				return
			}
		}
	}
}

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
	return info.Retransmits >= retransmissions && time.Duration(info.Last_ack_recv)*time.Millisecond >= silence
}
