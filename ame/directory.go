package ame

import (
	"encoding/binary"
	"fmt"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// Peer is what a rank knows about another one.
type Peer struct {
	*Node     // on which it runs
	PID   int // of its process
}

// host returns the name of the node, "" if unknown.
func (p Peer) host() string {
	if p.Node == nil {
		return ""
	}
	return p.Host
}

// maxHost bounds, in bytes, what a rank says its node is called.
const maxHost = 1 << 10

// appendPeer appends the wire form of p: pid, node.
func appendPeer(b []byte, p Peer) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.PID))
	return p.Node.appendTo(b)
}

func parsePeer(b []byte) (p Peer, rest []byte, err error) {
	if len(b) < 4 {
		return Peer{}, nil, fmt.Errorf("peer entry cut short: %d bytes", len(b))
	}
	p.PID = int(binary.BigEndian.Uint32(b))
	p.Node, rest, err = parseNode(b[4:])
	return p, rest, err
}

// appendTo appends the wire form of n: id, length of host, host.
func (n *Node) appendTo(b []byte) []byte {
	b = append(b, n.ID[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(n.Host)))
	return append(b, n.Host...)
}

func parseNode(b []byte) (n *Node, rest []byte, err error) {
	n = new(Node)
	if len(b) < len(n.ID)+2 {
		return nil, nil, fmt.Errorf("peer entry cut short: %d bytes of a node", len(b))
	}
	b = b[copy(n.ID[:], b):]
	length := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if len(b) < length {
		return nil, nil, fmt.Errorf("peer entry cut short: host of %d bytes in %d", length, len(b))
	}
	n.Host = printable.Text(string(b[:length]))
	return n, b[length:], nil
}

// Records may stand behind a directory and behind the entry of a rank that
// joins: a tag, a length, and as many bytes. Those with an unknown tag are
// passed over, so that later versions can say more.
const (
	recordMemory = 1 // behind a directory: see memoryOffer
	recordClaim  = 2 // behind an entry: Config.Claim

	recordHeartbeat = 3 // behind a directory: how long a rank may be silent
)

// maxClaim bounds, in bytes, what a rank says of itself.
const maxClaim = 4 << 10

func appendRecord(b []byte, tag byte, body []byte) []byte {
	b = append(b, tag)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// findRecord returns the body of the first record with a tag, ok == false if
// there is none.
func findRecord(b []byte, tag byte) (body []byte, ok bool) {
	for len(b) >= 3 {
		found, length := b[0], int(binary.BigEndian.Uint16(b[1:]))
		b = b[3:]
		switch {
		case length > len(b):
			return nil, false
		case found == tag:
			return b[:length], true
		}
		b = b[length:]
	}
	return nil, false
}

// appendDirectory appends the wire form of what is known of all ranks: number
// of nodes, nodes, and for each rank in order the number of its node and its pid.
func appendDirectory(b []byte, peers []Peer) []byte {
	number := map[Node]int{}
	var nodes, ranks []byte
	for _, p := range peers {
		n, ok := number[*p.Node]
		if !ok {
			n = len(number)
			number[*p.Node] = n
			nodes = p.Node.appendTo(nodes)
		}
		ranks = binary.BigEndian.AppendUint32(ranks, uint32(n))
		ranks = binary.BigEndian.AppendUint32(ranks, uint32(p.PID))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(number)))
	return append(append(b, nodes...), ranks...)
}

// parseDirectory reads what is known of all ranks, and returns what follows it.
func parseDirectory(b []byte, size int) (peers []Peer, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("directory of %d bytes", len(b))
	}
	nodes := make([]*Node, min(int(binary.BigEndian.Uint32(b)), size))
	b = b[4:]
	for i := range nodes {
		if nodes[i], b, err = parseNode(b); err != nil {
			return nil, nil, fmt.Errorf("directory of %d nodes, node %d: %w", len(nodes), i, err)
		}
	}
	if len(b) < 8*size {
		return nil, nil, fmt.Errorf("directory of %d ranks cut short: %d bytes", size, len(b))
	}
	peers = make([]Peer, size)
	for rank := range peers {
		n := binary.BigEndian.Uint32(b)
		if int64(n) >= int64(len(nodes)) {
			return nil, nil, fmt.Errorf("directory: rank %d on node %d of %d", rank, n, len(nodes))
		}
		peers[rank] = Peer{Node: nodes[n], PID: int(binary.BigEndian.Uint32(b[4:]))}
		b = b[8:]
	}
	return peers, b, nil
}
