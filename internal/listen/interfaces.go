package listen

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// netif is one network interface of this node.
type netif struct {
	name     string
	up       bool
	running  bool // has a carrier
	loopback bool
	addrs    []netip.Addr
}

// netifs lists the interfaces of this node in the kernel's order.
func netifs() ([]netif, error) {
	system, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("network interfaces: %w", err)
	}
	var found []netif
	for _, s := range system {
		addrs, err := s.Addrs()
		if err != nil {
			continue // it went away just now, as the veth of a container does
		}
		n := netif{
			name:     s.Name,
			up:       s.Flags&net.FlagUp != 0,
			running:  s.Flags&net.FlagRunning != 0,
			loopback: s.Flags&net.FlagLoopback != 0,
		}
		for _, addr := range addrs {
			if prefix, err := netip.ParsePrefix(addr.String()); err == nil {
				n.addrs = append(n.addrs, prefix.Addr().Unmap())
			}
		}
		found = append(found, n)
	}
	return found, nil
}

// reachable returns the addresses by which other nodes may reach this one,
// likely ones first. Link-local addresses need a zone that means nothing
// elsewhere, so they are left out.
func reachable(ifs []netif) []netip.Addr {
	ifs = slices.Clone(ifs)
	slices.SortStableFunc(ifs, func(a, b netif) int { return cmp.Compare(a.distance(), b.distance()) })
	var addrs []netip.Addr
	for _, n := range ifs {
		if !n.up || n.loopback {
			continue
		}
		for _, addr := range n.addrs {
			if addr.IsGlobalUnicast() { // private and unique-local ones too
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs
}

// distance orders interfaces by how likely other nodes of a cluster reach it:
// the fast network, other networks, then what container and virtual machine
// tools make, which has the same addresses on every node.
func (n netif) distance() int {
	prefixed := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(n.name, p) })
	}
	switch {
	case !n.running:
		return 4
	case prefixed("docker", "br-", "virbr", "veth", "vnet", "vmnet", "vboxnet", "cni", "cali", "flannel", "cilium", "podman", "lxc", "lxd", "kube", "nerdctl"):
		return 3
	case prefixed("tun", "tap", "wg", "utun", "tailscale", "zt", "ppp"):
		return 2
	case prefixed("ib", "hsn", "opa"): // InfiniBand, Slingshot, Omni-Path
		return 0
	default:
		return 1
	}
}

// loopback returns the one address on which processes of this node meet.
func loopback(ifs []netif) []netip.Addr {
	var six []netip.Addr
	for _, n := range ifs {
		if !n.up || !n.loopback {
			continue
		}
		for _, addr := range n.addrs {
			switch {
			case !addr.IsLoopback():
			case addr.Is4():
				return []netip.Addr{addr}
			case six == nil:
				six = []netip.Addr{addr}
			}
		}
	}
	return six
}

// matching returns the addresses that AME_INTERFACE selects: those of the
// interface of that name, or those in that network.
func matching(ifs []netif, selector string) ([]netip.Addr, error) {
	var selected func(netif, netip.Addr) bool
	switch network, err := netip.ParsePrefix(selector); {
	case err == nil:
		selected = func(_ netif, addr netip.Addr) bool { return network.Contains(addr) }
	case strings.Contains(selector, "/"):
		return nil, fmt.Errorf("AME_INTERFACE=%q is not a network such as 10.1.0.0/16", selector)
	default:
		selected = func(n netif, _ netip.Addr) bool { return n.name == selector }
	}
	var addrs []netip.Addr
	for _, n := range ifs {
		for _, addr := range n.addrs {
			if n.up && (addr.IsGlobalUnicast() || addr.IsLoopback()) && selected(n, addr) {
				addrs = append(addrs, addr)
			}
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("AME_INTERFACE=%q matches no address of %s, which has %s", selector, environ.Hostname(), describe(ifs))
	}
	return addrs, nil
}

// describe lists interfaces with their addresses, for an error message.
func describe(ifs []netif) string {
	var parts []string
	for _, n := range ifs {
		var texts []string
		if !n.up {
			texts = append(texts, "down")
		}
		for _, addr := range n.addrs {
			texts = append(texts, addr.String())
		}
		if len(texts) == 0 {
			texts = append(texts, "no address")
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", n.name, strings.Join(texts, ", ")))
	}
	if len(parts) == 0 {
		return "no network interface"
	}
	return strings.Join(parts, ", ")
}
