//go:build !linux

package ame

// thisNode is not known on systems other than Linux.
func thisNode() NodeID { return NodeID{} }
