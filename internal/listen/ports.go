package listen

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// Ports are candidates for the port of a listener, in the order of trying.
type Ports struct {
	Origin string // where they come from, for error messages
	List   []int  // 0: any free one
}

// PortRange returns the ports that AME_PORT_RANGE allows; port 0, which is any
// free one, if it is not set.
func PortRange(env environ.Env) (Ports, error) {
	text, ok := environ.Lookup(env, "AME_PORT_RANGE")
	if !ok {
		return Ports{"any port", []int{0}}, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err1 != nil || err2 != nil || low == 0 || low > high {
		return Ports{}, fmt.Errorf("AME_PORT_RANGE=%q is not a range of ports such as 20000-20100", text)
	}
	list := make([]int, 0, high-low+1)
	for port := low; port <= high; port++ {
		list = append(list, int(port))
	}
	return Ports{"AME_PORT_RANGE=" + text, list}, nil
}

// HostPort joins a host, which may be a literal IPv6 address, and a port.
func HostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
