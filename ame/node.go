package ame

// Node is where a rank runs.
type Node struct {
	Host string // its name, for messages
	ID   NodeID
}

// NodeID tells nodes apart. Ranks with the same one can open each other's files
// below /proc and each other's sockets: they run on one kernel, since the same
// start of it, and in the same namespaces of processes and of the network. Host
// names tell neither, for two containers of one machine may share a name, and
// so may two machines. Zero: not known, and equal to no other.
type NodeID [16]byte

// sameNode says whether two ranks run on one node.
func sameNode(a, b Peer) bool {
	return a.Node != nil && b.Node != nil && a.ID != NodeID{} && a.ID == b.ID
}

// onOneNode says whether all ranks of c are known to run on one node.
func (c *Comm) onOneNode() bool {
	peers := c.Peers()
	for _, p := range peers {
		if !sameNode(p, peers[0]) {
			return false
		}
	}
	return true
}
