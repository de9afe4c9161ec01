package ame

import (
	"crypto/sha256"
	"os"
)

// thisNode returns the id of the node on which this process runs.
func thisNode() NodeID {
	h := sha256.New()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return NodeID{}
	}
	h.Write(boot)
	for _, namespace := range []string{"pid", "net"} {
		name, err := os.Readlink("/proc/self/ns/" + namespace)
		if err != nil {
			return NodeID{}
		}
		h.Write([]byte(name))
	}
	return NodeID(h.Sum(nil)[:16])
}
