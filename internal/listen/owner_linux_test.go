package listen

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwner(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil && address == "[::1]:0" {
			continue // a node without IPv6
		}
		require.NoError(t, err)
		defer listener.Close()
		client, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		server, err := listener.Accept()
		require.NoError(t, err)
		uid, ok := Owner(server)
		assert.True(t, ok, address)
		assert.Equal(t, os.Geteuid(), uid, address)
		require.NoError(t, client.Close())
		_, ok = Owner(server)
		assert.False(t, ok, "%s: its process has closed it", address)
		server.Close()
	}
	one, two := net.Pipe()
	defer one.Close()
	defer two.Close()
	_, ok := Owner(one)
	assert.False(t, ok, "no TCP")
}
