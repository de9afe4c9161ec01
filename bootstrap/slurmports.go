package bootstrap

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// Derived ports stay below the ports that Linux gives to outgoing connections
// (32768-60999), and above those of most services.
const (
	firstSlurmPort = 20000
	lastSlurmPort  = 29999

	maxReservedPorts = 8 // of Slurm's, tried before
	maxDerivedPorts  = 8 // ports of our own making
)

// slurmPorts returns the ports that rank 0 may bind, in the order in which it
// tries them. All ranks of a step get the same ones.
//
// They are the ports that Slurm keeps for the step, where it does, and then
// ports derived from the name of the step, so that two steps on one node have
// different ones as a rule. Neither is sure to be free: another program may be
// on a port, and another step, which its handshake gives away. AME_PORT_RANGE
// restricts both.
func slurmPorts(env Env, step *slurm.Step) (ports, error) {
	allowed, err := portRange(env)
	if err != nil {
		return ports{}, err
	}
	reserved, origin := step.ReservedPorts, fmt.Sprintf("ports %d-%d", firstSlurmPort, lastSlurmPort)
	if _, restricted := lookup(env, "AME_PORT_RANGE"); restricted {
		origin = allowed.origin
		reserved = slices.DeleteFunc(slices.Clone(reserved), func(port int) bool { return !slices.Contains(allowed.list, port) })
	} else {
		allowed.list = nil
		for port := firstSlurmPort; port <= lastSlurmPort; port++ {
			allowed.list = append(allowed.list, port)
		}
	}
	list := slices.Clone(reserved[:min(len(reserved), maxReservedPorts)])
	for _, port := range derivedPorts(step.Name(), allowed.list) {
		if !slices.Contains(list, port) {
			list = append(list, port)
		}
	}
	return ports{fmt.Sprintf("%s, of these %v", origin, list), list}, nil
}

// derivedPorts picks some ports by a hash of the name.
func derivedPorts(name string, allowed []int) []int {
	digest := sha256.Sum256([]byte("dlp-go port sequence\x00" + name))
	var list []int
	for i := range min(maxDerivedPorts, len(allowed)) {
		n := int(binary.BigEndian.Uint32(digest[4*i:])) % len(allowed)
		for slices.Contains(list, allowed[n]) {
			n = (n + 1) % len(allowed)
		}
		list = append(list, allowed[n])
	}
	return list
}
