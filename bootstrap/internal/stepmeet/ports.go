package stepmeet

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/listen"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// Derived ports stay below the ports that Linux gives to outgoing connections
// (32768-60999), and above those of most services.
const (
	firstPort = 20000
	lastPort  = 29999

	maxReservedPorts = 8 // of Slurm's, tried before
	maxDerivedPorts  = 8 // ports of our own making
)

// sequence returns the ports that rank 0 may bind, in the order in which it
// tries them. All ranks of a step get the same ones.
//
// They are the ports that Slurm keeps for the step, where it does, and then
// ports derived from the name of the step, so that two steps on one node have
// different ones as a rule. Neither is sure to be free: another program may be
// on a port, and another step, which its handshake gives away. AME_PORT_RANGE
// restricts both.
func sequence(env environ.Env, step *slurm.Step) (listen.Ports, error) {
	allowed, err := listen.PortRange(env)
	if err != nil {
		return listen.Ports{}, err
	}
	reserved, origin := step.ReservedPorts, fmt.Sprintf("ports %d-%d", firstPort, lastPort)
	if _, restricted := environ.Lookup(env, "AME_PORT_RANGE"); restricted {
		origin = allowed.Origin
		reserved = slices.DeleteFunc(slices.Clone(reserved), func(port int) bool { return !slices.Contains(allowed.List, port) })
	} else {
		allowed.List = nil
		for port := firstPort; port <= lastPort; port++ {
			allowed.List = append(allowed.List, port)
		}
	}
	list := slices.Clone(reserved[:min(len(reserved), maxReservedPorts)])
	for _, port := range derivedPorts(step.Name(), allowed.List) {
		if !slices.Contains(list, port) {
			list = append(list, port)
		}
	}
	return listen.Ports{Origin: fmt.Sprintf("%s, of these %v", origin, list), List: list}, nil
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
