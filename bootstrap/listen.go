package bootstrap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// ports are candidates for the port of rank 0.
type ports struct {
	origin string // where they come from, for error messages
	list   []int  // 0: any free one
}

// listen opens the listener of rank 0 and returns the addresses (host:port)
// to publish, likely ones first.
//
// When all ranks are on one node it listens on loopback alone, so that nothing
// outside can connect; else on every address of the node. AME_INTERFACE
// restricts both, also on one node. The port is the first free candidate;
// without candidates the first free one of AME_PORT_RANGE, else any.
func listen(env Env, oneNode bool, candidates ports) (net.Listener, []string, error) {
	ifs, err := netifs()
	if err != nil {
		return nil, nil, err
	}
	where, err := endpoints(env, ifs, oneNode)
	if err != nil {
		return nil, nil, err
	}
	if candidates.list == nil {
		if candidates, err = portRange(env); err != nil {
			return nil, nil, err
		}
	}
	listener, err := listenFirst(where.bind, candidates.list)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: nothing free on %s: %w", candidates.origin, hostname(), err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	var root []string
	for _, addr := range where.publish {
		root = append(root, hostPort(addr.String(), port))
	}
	return listener, root, nil
}

// where is on which addresses to listen and which ones to publish.
type where struct {
	bind    []netip.Addr // none: all
	publish []netip.Addr
}

func endpoints(env Env, ifs []netif, oneNode bool) (where, error) {
	if selector, ok := lookup(env, "AME_INTERFACE"); ok {
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
		return where{}, fmt.Errorf("no address to listen on: %s has %s; is the loopback interface up?", hostname(), describe(ifs))
	}
	return where{addrs, addrs}, nil
}

// portRange returns the ports that AME_PORT_RANGE allows; port 0, which is any
// free one, if it is not set.
func portRange(env Env) (ports, error) {
	text, ok := lookup(env, "AME_PORT_RANGE")
	if !ok {
		return ports{"any port", []int{0}}, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err1 != nil || err2 != nil || low == 0 || low > high {
		return ports{}, fmt.Errorf("AME_PORT_RANGE=%q is not a range of ports such as 20000-20100", text)
	}
	list := make([]int, 0, high-low+1)
	for port := low; port <= high; port++ {
		list = append(list, int(port))
	}
	return ports{"AME_PORT_RANGE=" + text, list}, nil
}

// listenFirst listens on the first port that is free on all addresses.
func listenFirst(addrs []netip.Addr, ports []int) (net.Listener, error) {
	var last error
	for _, port := range ports {
		listener, err := listenPort(addrs, port)
		if err == nil {
			return listener, nil
		}
		last = err
	}
	return nil, last
}

// anyPortTries bounds how often any free port of the first address may turn
// out to be taken on another one.
const anyPortTries = 16

func listenPort(addrs []netip.Addr, port int) (net.Listener, error) {
	if len(addrs) == 0 {
		return listenAll(port)
	}
	var err error
	for range anyPortTries {
		var listener net.Listener
		if listener, err = listenEach(addrs, port); err == nil {
			return listener, nil
		}
		if port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

// listenAll listens on every address of the node. Go makes that one socket for
// both families where it can; the others are for kernels without one of them.
func listenAll(port int) (net.Listener, error) {
	var errs []error
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		listener, err := net.Listen(network, hostPort("", port))
		if err == nil {
			return listener, nil
		}
		errs = append(errs, err)
		if errors.Is(err, syscall.EADDRINUSE) {
			break // half of the families would let a stranger have the other half
		}
	}
	return nil, errs[0]
}

// listenEach listens on the given addresses and on the same port of each. It
// passes over addresses that the kernel lists but does not give yet, such as
// tentative IPv6 ones, as long as one remains.
func listenEach(addrs []netip.Addr, port int) (net.Listener, error) {
	var listeners []net.Listener
	for i, addr := range addrs {
		listener, err := net.Listen("tcp", hostPort(addr.String(), port))
		if errors.Is(err, syscall.EADDRNOTAVAIL) && (len(listeners) > 0 || i < len(addrs)-1) {
			continue
		}
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, err
		}
		port = listener.Addr().(*net.TCPAddr).Port
		listeners = append(listeners, listener)
	}
	if len(listeners) == 1 {
		return listeners[0], nil
	}
	return newListenerGroup(listeners), nil
}

func hostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
