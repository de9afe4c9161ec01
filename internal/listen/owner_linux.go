package listen

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Owner returns the user whose process has opened a TCP connection to this one,
// as the kernel knows it: ok is false unless that process runs on this node, in
// this network namespace, and has not closed the connection.
func Owner(conn net.Conn) (uid int, ok bool) {
	theirs, ours := addressOf(conn.RemoteAddr()), addressOf(conn.LocalAddr())
	if !theirs.IsValid() || !ours.IsValid() {
		return 0, false
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if uid, ok := ownerIn(table, theirs, ours); ok {
			return uid, true
		}
	}
	return 0, false
}

func addressOf(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// established is TCP_ESTABLISHED (include/net/tcp_states.h). In other states a
// socket may belong to nobody.
const established = "01"

// ownerIn looks for the connection's other end in a table of proc(5).
func ownerIn(table string, local, remote netip.AddrPort) (uid int, ok bool) {
	file, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text()) // number, local, remote, state, queues, timer, retransmissions, uid, ...
		if len(f) < 8 || f[3] != established || parseAddress(f[1]) != local || parseAddress(f[2]) != remote {
			continue
		}
		uid, err := strconv.Atoi(f[7])
		return uid, err == nil
	}
	return 0, false
}

// parseAddress reads ADDRESS:PORT in hexadecimal digits. The address is in words
// of 32 bits, as the processor has them in memory.
func parseAddress(text string) netip.AddrPort {
	address, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n))
}
