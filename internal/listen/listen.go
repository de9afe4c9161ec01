// Package listen opens the listeners by which ranks reach each other: on which
// interfaces of the node, on which port, and by which addresses others may
// reach them. AME_INTERFACE and AME_PORT_RANGE restrict it.
package listen

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// Open opens a listener for other ranks and returns the addresses (host:port)
// by which they may reach it, likely ones first.
//
// When all ranks are on one node it listens on loopback alone, so that nothing
// outside can connect; else on every address of the node. AME_INTERFACE
// restricts both, also on one node. The port is the first free candidate;
// without candidates the first free one of AME_PORT_RANGE, else any.
func Open(env environ.Env, oneNode bool, candidates Ports) (net.Listener, []string, error) {
	ifs, err := netifs()
	if err != nil {
		return nil, nil, err
	}
	where, err := endpoints(env, ifs, oneNode)
	if err != nil {
		return nil, nil, err
	}
	if candidates.List == nil {
		if candidates, err = PortRange(env); err != nil {
			return nil, nil, err
		}
	}
	listener, err := listenFirst(where.bind, candidates.List)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: nothing free on %s: %w", candidates.Origin, environ.Hostname(), err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	var addresses []string
	for _, addr := range where.publish {
		addresses = append(addresses, HostPort(addr.String(), port))
	}
	return listener, addresses, nil
}

// Local returns the addresses by which a process of this node reaches a
// listener that Open has opened here. Where nothing restricts it, loopback is
// one of those on which it listens.
func Local(env environ.Env, oneNode bool) ([]netip.Addr, error) {
	ifs, err := netifs()
	if err != nil {
		return nil, err
	}
	if addrs := loopback(ifs); len(addrs) > 0 && !environ.AnySet(env, "AME_INTERFACE") {
		return addrs, nil
	}
	where, err := endpoints(env, ifs, oneNode)
	return where.publish, err
}

// where is on which addresses to listen and which ones to publish.
type where struct {
	bind    []netip.Addr // none: all
	publish []netip.Addr
}

func endpoints(env environ.Env, ifs []netif, oneNode bool) (where, error) {
	if selector, ok := environ.Lookup(env, "AME_INTERFACE"); ok {
		addrs, err := matching(ifs, selector)
		return where{addrs, addrs}, err
	}
	if !oneNode {
		if addrs := reachable(ifs); len(addrs) > 0 {
			return where{nil, addrs}, nil
		}
		// A node without a network has no ranks elsewhere.
	}
	addrs := loopback(ifs)
	if len(addrs) == 0 {
		return where{}, fmt.Errorf("no address to listen on: %s has %s; is the loopback interface up?", environ.Hostname(), describe(ifs))
	}
	return where{addrs, addrs}, nil
}
