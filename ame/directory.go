package ame

import (
	"encoding/binary"
	"fmt"
)

// Peer is what a rank knows about another one.
type Peer struct {
	Host string // name of its node
	PID  int    // of its process
}

// maxHost bounds, in bytes, what a rank says its node is called.
const maxHost = 1 << 10

// appendPeer appends the wire form of p: pid, length of host, host. Records
// may follow it in a body, so that later versions can say more.
func appendPeer(b []byte, p Peer) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.PID))
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Host)))
	return append(b, p.Host...)
}

func parsePeer(b []byte) (p Peer, rest []byte, err error) {
	if len(b) < 6 {
		return Peer{}, nil, fmt.Errorf("peer entry cut short: %d bytes", len(b))
	}
	p.PID = int(binary.BigEndian.Uint32(b))
	n := int(binary.BigEndian.Uint16(b[4:]))
	b = b[6:]
	if len(b) < n {
		return Peer{}, nil, fmt.Errorf("peer entry cut short: host of %d bytes in %d", n, len(b))
	}
	p.Host = string(b[:n])
	return p, b[n:], nil
}

// appendDirectory appends the entries of all ranks, in rank order.
func appendDirectory(b []byte, peers []Peer) []byte {
	for _, p := range peers {
		b = appendPeer(b, p)
	}
	return b
}

// parseDirectory reads the entries of all ranks, and returns what follows them.
func parseDirectory(b []byte, size int) (peers []Peer, rest []byte, err error) {
	peers = make([]Peer, 0, size)
	hosts := map[string]string{} // ranks of one node share the name's memory
	for len(peers) < size {
		p, rest, err := parsePeer(b)
		if err != nil {
			return nil, nil, fmt.Errorf("directory of %d ranks, entry %d: %w", size, len(peers), err)
		}
		if host, ok := hosts[p.Host]; ok {
			p.Host = host
		} else {
			hosts[p.Host] = p.Host
		}
		peers, b = append(peers, p), rest
	}
	return peers, b, nil
}
