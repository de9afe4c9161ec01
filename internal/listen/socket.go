package listen

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

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

func listenPort(addrs []netip.Addr, port int) (listener net.Listener, err error) {
	for range anyPortTries {
		if len(addrs) == 0 {
			listener, err = listenAll(port)
		} else {
			listener, err = listenEach(addrs, port)
		}
		if err == nil {
			return listener, nil
		}
		if port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

// listenAll listens on every address of the node, by one socket for both
// families where the kernel and Go have that, else by one for each.
func listenAll(port int) (net.Listener, error) {
	first, err := net.Listen("tcp", HostPort("", port))
	if err != nil {
		return listenFamilies(port)
	}
	// Go takes both families for one socket only if it could bind
	// ::ffff:127.0.0.1, else this is 0.0.0.0: on a node without an IPv4
	// address nobody could connect.
	if first.Addr().(*net.TCPAddr).IP.To4() == nil {
		return first, nil
	}
	first.Close()
	return listenFamilies(port)
}

// listenFamilies listens by a socket for each family that the node has. A port
// that another program has in one of them is not ours in the other either: it
// would get half of our ranks.
func listenFamilies(port int) (net.Listener, error) {
	var listeners []net.Listener
	var failure error
	for _, network := range []string{"tcp6", "tcp4"} {
		listener, err := net.Listen(network, HostPort("", port))
		switch {
		case err == nil:
			port = listener.Addr().(*net.TCPAddr).Port
			listeners = append(listeners, listener)
		case errors.Is(err, syscall.EADDRINUSE):
			closeAll(listeners)
			return nil, err
		case failure == nil:
			failure = err
		}
	}
	if len(listeners) == 0 {
		return nil, failure
	}
	return joined(listeners), nil
}

// listenEach listens on the given addresses and on the same port of each. It
// passes over addresses that the kernel lists but does not give yet, such as
// tentative IPv6 ones, as long as one remains.
func listenEach(addrs []netip.Addr, port int) (net.Listener, error) {
	var listeners []net.Listener
	for i, addr := range addrs {
		listener, err := net.Listen("tcp", HostPort(addr.String(), port))
		if errors.Is(err, syscall.EADDRNOTAVAIL) && (len(listeners) > 0 || i < len(addrs)-1) {
			continue
		}
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		port = listener.Addr().(*net.TCPAddr).Port
		listeners = append(listeners, listener)
	}
	return joined(listeners), nil
}

// joined makes one listener of several, of which there is at least one.
func joined(listeners []net.Listener) net.Listener {
	if len(listeners) == 1 {
		return listeners[0]
	}
	return newGroup(listeners)
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		listener.Close()
	}
}
