package listen

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

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
		env     fakeenv.Map
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
		"interface by name": {ifs: node(), env: fakeenv.Map{"AME_INTERFACE": "eth0"},
			bind: addrs("10.1.0.5", "2001:db8::5", "fd00::5"), publish: addrs("10.1.0.5", "2001:db8::5", "fd00::5")},
		"interface by network": {ifs: node(), env: fakeenv.Map{"AME_INTERFACE": "10.2.0.0/16"}, oneNode: true,
			bind: addrs("10.2.0.5"), publish: addrs("10.2.0.5")},
		"interface that is down": {ifs: node()[5:6], env: fakeenv.Map{"AME_INTERFACE": "eth1"},
			err: `AME_INTERFACE="eth1" matches no address of ` + environ.Hostname() + `, which has eth1 (down, 10.9.0.5)`},
		"no such interface": {ifs: loopbackOnly, env: fakeenv.Map{"AME_INTERFACE": "ib7"},
			err: `AME_INTERFACE="ib7" matches no address of ` + environ.Hostname() + `, which has lo (::1, 127.0.0.1)`},
		"no network of that form": {ifs: node(), env: fakeenv.Map{"AME_INTERFACE": "10.2/16"},
			err: `AME_INTERFACE="10.2/16" is not a network such as 10.1.0.0/16`},
		"nothing up": {ifs: node()[5:6], oneNode: true,
			err: "no address to listen on: " + environ.Hostname() + " has eth1 (down, 10.9.0.5); is the loopback interface up?"},
	} {
		t.Run(name, func(t *testing.T) {
			where, err := endpoints(test.env.Lookup, test.ifs, test.oneNode)
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
	listener, root, err := Open(fakeenv.Map{}.Lookup, true, Ports{})
	require.NoError(t, err)
	defer listener.Close()
	assert.True(t, listener.Addr().(*net.TCPAddr).IP.IsLoopback())
	assert.Equal(t, []string{listener.Addr().String()}, root)
}

func TestListenEverywhere(t *testing.T) {
	listener, root, err := Open(fakeenv.Map{}.Lookup, false, Ports{})
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
		_, _, err := Open(fakeenv.Map{"AME_PORT_RANGE": bad}.Lookup, true, Ports{})
		assert.EqualError(t, err, `AME_PORT_RANGE="`+bad+`" is not a range of ports such as 20000-20100`)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	require.NoError(t, free.Close())
	env := fakeenv.Map{"AME_PORT_RANGE": strconv.Itoa(port)}
	listener, _, err := Open(env.Lookup, true, Ports{})
	require.NoError(t, err)
	defer listener.Close()
	assert.Equal(t, port, listener.Addr().(*net.TCPAddr).Port)

	_, _, err = Open(env.Lookup, true, Ports{})
	assert.ErrorContains(t, err, "AME_PORT_RANGE="+strconv.Itoa(port)+": nothing free on ")

	second, _, err := Open(env.Lookup, true, Ports{"test", []int{port, 0}})
	require.NoError(t, err, "the next free candidate")
	second.Close()
}

func TestListenerGroup(t *testing.T) {
	listener, err := listenPort(addrs("127.0.0.1", "127.0.0.2"), 0)
	if err != nil {
		listener, err = listenPort(addrs("127.0.0.1", "::1"), 0) // macOS has no 127.0.0.2
	}
	require.NoError(t, err)
	group := listener.(*group)
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

func TestListenFamilies(t *testing.T) {
	listener, err := listenFamilies(0)
	require.NoError(t, err)
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	ifs, err := netifs()
	require.NoError(t, err)
	dialled := 0
	for _, n := range ifs {
		for _, addr := range n.addrs {
			if !n.up || !n.loopback {
				continue
			}
			conn, err := net.Dial("tcp", HostPort(addr.String(), port))
			if assert.NoError(t, err) {
				dialled++
				conn.Close()
			}
		}
	}
	assert.NotZero(t, dialled)
	_, err = listenFamilies(port)
	assert.ErrorIs(t, err, syscall.EADDRINUSE)
}

// A node that has IPv6 alone, not even 127.0.0.1, is a network namespace here.
func TestListenWithoutIPv4(t *testing.T) {
	const inside = "LISTEN_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		script := `ip link set lo up && ip -4 addr flush dev lo && ip addr add fd00::5/128 dev lo && exec "$0" -test.run='^TestListenWithoutIPv4$'`
		try := exec.Command("unshare", "--user", "--map-root-user", "--net", "sh", "-c", "ip link set lo up && test -e /proc/net/if_inet6")
		if out, err := try.CombinedOutput(); err != nil {
			need.Unable(t, "this machine gives no network namespace with IPv6: %v %s", err, out)
		}
		self, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "sh", "-c", script, self)
		cmd.Env = append(os.Environ(), inside+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	listener, err := listenAll(0)
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", HostPort("fd00::5", listener.Addr().(*net.TCPAddr).Port))
	require.NoError(t, err)
	conn.Close()
	_, addresses, err := Open(fakeenv.Map{}.Lookup, true, Ports{})
	require.NoError(t, err)
	require.Len(t, addresses, 1)
	assert.Contains(t, addresses[0], "[::1]:")
}
