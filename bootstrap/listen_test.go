package bootstrap

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// node is a node of a cluster that also runs containers.
func node() []netif {
	return []netif{
		{name: "lo", up: true, running: true, loopback: true, addrs: addrs("127.0.0.1", "::1")},
		{name: "docker0", up: true, addrs: addrs("172.17.0.1")},
		{name: "br-12ab", up: true, running: true, addrs: addrs("172.18.0.1")},
		{name: "tun0", up: true, running: true, addrs: addrs("10.8.0.2")},
		{name: "eth0", up: true, running: true, addrs: addrs("10.1.0.5", "2001:db8::5", "fe80::5", "fd00::5")},
		{name: "eth1", addrs: addrs("10.9.0.5")},
		{name: "ib0", up: true, running: true, addrs: addrs("10.2.0.5")},
	}
}

func TestEndpoints(t *testing.T) {
	loopbackOnly := []netif{{name: "lo", up: true, loopback: true, addrs: addrs("::1", "127.0.0.1")}}
	for name, test := range map[string]struct {
		ifs     []netif
		env     mapEnv
		oneNode bool
		bind    []netip.Addr
		publish []netip.Addr
		err     string
	}{
		"many nodes": {ifs: node(), publish: addrs("10.2.0.5", "10.1.0.5", "2001:db8::5", "fd00::5", "10.8.0.2", "172.18.0.1", "172.17.0.1")},
		"one node":   {ifs: node(), oneNode: true, bind: addrs("127.0.0.1"), publish: addrs("127.0.0.1")},
		"no network": {ifs: loopbackOnly, bind: addrs("127.0.0.1"), publish: addrs("127.0.0.1")},
		"ipv6 only loopback": {ifs: []netif{{name: "lo", up: true, loopback: true, addrs: addrs("::1")}}, oneNode: true,
			bind: addrs("::1"), publish: addrs("::1")},
		"interface by name": {ifs: node(), env: mapEnv{"AME_INTERFACE": "eth0"},
			bind: addrs("10.1.0.5", "2001:db8::5", "fd00::5"), publish: addrs("10.1.0.5", "2001:db8::5", "fd00::5")},
		"interface by network": {ifs: node(), env: mapEnv{"AME_INTERFACE": "10.2.0.0/16"}, oneNode: true,
			bind: addrs("10.2.0.5"), publish: addrs("10.2.0.5")},
		"interface that is down": {ifs: node()[5:6], env: mapEnv{"AME_INTERFACE": "eth1"},
			err: `AME_INTERFACE="eth1" matches no address of ` + hostname() + `, which has eth1 (down, 10.9.0.5)`},
		"no such interface": {ifs: loopbackOnly, env: mapEnv{"AME_INTERFACE": "ib7"},
			err: `AME_INTERFACE="ib7" matches no address of ` + hostname() + `, which has lo (::1, 127.0.0.1)`},
		"no network of that form": {ifs: node(), env: mapEnv{"AME_INTERFACE": "10.2/16"},
			err: `AME_INTERFACE="10.2/16" is not a network such as 10.1.0.0/16`},
		"nothing up": {ifs: node()[5:6], oneNode: true,
			err: "no address to listen on: " + hostname() + " has eth1 (down, 10.9.0.5); is the loopback interface up?"},
	} {
		t.Run(name, func(t *testing.T) {
			where, err := endpoints(test.env.lookup, test.ifs, test.oneNode)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.bind, where.bind)
			assert.Equal(t, test.publish, where.publish)
		})
	}
}

func TestListenOnOneNodeIsLoopbackAlone(t *testing.T) {
	listener, root, err := listen(mapEnv{}.lookup, true, ports{})
	require.NoError(t, err)
	defer listener.Close()
	assert.True(t, listener.Addr().(*net.TCPAddr).IP.IsLoopback())
	assert.Equal(t, []string{listener.Addr().String()}, root)
}

func TestListenEverywhere(t *testing.T) {
	listener, root, err := listen(mapEnv{}.lookup, false, ports{})
	require.NoError(t, err)
	defer listener.Close()
	for _, address := range root {
		conn, err := net.Dial("tcp", address)
		if assert.NoError(t, err) {
			conn.Close()
		}
	}
}

func TestPortRange(t *testing.T) {
	for _, bad := range []string{"x", "0-5", "20-10", "1-70000", "-5", "5-", "1-2-3"} {
		_, _, err := listen(mapEnv{"AME_PORT_RANGE": bad}.lookup, true, ports{})
		assert.EqualError(t, err, `AME_PORT_RANGE="`+bad+`" is not a range of ports such as 20000-20100`)
	}
	port := freePort(t)
	env := mapEnv{"AME_PORT_RANGE": strconv.Itoa(port)}
	listener, _, err := listen(env.lookup, true, ports{})
	require.NoError(t, err)
	defer listener.Close()
	assert.Equal(t, port, listener.Addr().(*net.TCPAddr).Port)

	_, _, err = listen(env.lookup, true, ports{})
	assert.ErrorContains(t, err, "AME_PORT_RANGE="+strconv.Itoa(port)+": nothing free on ")

	second, _, err := listen(env.lookup, true, ports{"test", []int{port, 0}})
	require.NoError(t, err, "the next free candidate")
	second.Close()
}

func TestListenerGroup(t *testing.T) {
	listener, err := listenPort(addrs("127.0.0.1", "127.0.0.2"), 0)
	if err != nil {
		listener, err = listenPort(addrs("127.0.0.1", "::1"), 0) // macOS has no 127.0.0.2
	}
	require.NoError(t, err)
	group := listener.(*listenerGroup)
	for _, one := range group.listeners {
		dialled := make(chan net.Conn, 1)
		go func() {
			conn, _ := net.Dial("tcp", one.Addr().String())
			dialled <- conn
		}()
		conn, err := group.Accept()
		require.NoError(t, err)
		conn.Close()
		(<-dialled).Close()
		assert.Equal(t, group.Addr().(*net.TCPAddr).Port, one.Addr().(*net.TCPAddr).Port)
	}
	require.NoError(t, group.Close())
	_, err = group.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.NoError(t, group.Close())
}
