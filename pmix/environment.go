package pmix

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// formats is the whole negotiation: the first variable that is set decides,
// and there is no answer from which to learn more. v3 is the last choice even
// though all servers accept it: answers that had to wait come in the server's
// own packing, which from 4.0 on is not v3's.
var formats = []struct {
	variable string
	module   string
	fixed    bool
}{
	{"PMIX_SERVER_URI41", "v41", false}, // 4.1 and later
	{"PMIX_SERVER_URI4", "v4", false},   // 4.0
	{"PMIX_SERVER_URI3", "v3", true},    // 3.x
}

// otherFormats are named in the reason when none of ours is set.
var otherFormats = []string{"PMIX_SERVER_URI2", "PMIX_SERVER_URI20", "PMIX_SERVER_URI21", "PMIX_SERVER_URI51", "PMIX_SERVER_URI61"}

// environment is what the launcher tells a process.
type environment struct {
	namespace string
	rank      uint32
	host      string         // name of this node, "" if not told
	server    netip.AddrPort // where the server of this node listens
	version   string         // of the server's library, for messages
	module    string         // packing module
	codec     codec
	security  string // security module to present
}

// Available says whether Connect can be tried: nil, or the reason for which
// not, which wraps [ErrNotAvailable]. Another error means that a launcher did
// set PMIX_* variables and that they make no sense.
//
// It sends nothing. Beyond env it looks at the ids of this process and how
// they are mapped, which are alike on all ranks of a job.
func Available(env func(name string) (value string, ok bool)) error {
	_, err := readEnvironment(env)
	if err != nil {
		return err
	}
	return checkIdentity(thisProcess(), env)
}

func notAvailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotAvailable, fmt.Errorf(format, args...))
}

// readEnvironment reads the variables that PMIx_server_setup_fork sets.
func readEnvironment(env func(string) (string, bool)) (environment, error) {
	get := func(name string) string { v, _ := env(name); return v }
	e := environment{namespace: get("PMIX_NAMESPACE"), host: get("PMIX_HOSTNAME"), version: get("PMIX_VERSION")}
	if e.namespace == "" {
		return e, notAvailable("PMIX_NAMESPACE is not set")
	}
	rank, ok := env("PMIX_RANK")
	if !ok {
		return e, notAvailable("PMIX_NAMESPACE is set and PMIX_RANK is not")
	}
	uri, err := e.chooseFormat(env)
	if err != nil {
		return e, err
	}
	if len(e.namespace) > 255 {
		return e, fmt.Errorf("pmix: PMIX_NAMESPACE has %d bytes, PMIx allows 255", len(e.namespace))
	}
	n, err := strconv.ParseUint(rank, 10, 31)
	if err != nil {
		return e, fmt.Errorf("pmix: PMIX_RANK=%q is not a rank", rank)
	}
	e.rank = uint32(n)
	if e.server, err = parseURI(uri); err != nil {
		return e, fmt.Errorf("pmix: server address %q: %w", uri, err)
	}
	if err := e.chooseModules(get); err != nil {
		return e, err
	}
	return e, nil
}

// chooseFormat sets the packing module and returns the server's URI.
func (e *environment) chooseFormat(env func(string) (string, bool)) (uri string, err error) {
	for _, f := range formats {
		if uri, ok := env(f.variable); ok && uri != "" {
			e.module, e.codec.fixed = f.module, f.fixed
			return uri, nil
		}
	}
	var offered []string
	for _, name := range otherFormats {
		if _, ok := env(name); ok {
			offered = append(offered, name)
		}
	}
	if offered == nil {
		return "", notAvailable("PMIX_NAMESPACE is set and there is no server (no PMIX_SERVER_URI41, _URI4 or _URI3)")
	}
	return "", notAvailable("the server (PMIX_VERSION %q) offers %s, this client speaks PMIX_SERVER_URI41, _URI4 and _URI3",
		e.version, strings.Join(offered, ", "))
}

// chooseModules checks that the server takes what we are going to present.
// It does not tell after the fact: it hangs.
func (e *environment) chooseModules(get func(string) string) error {
	switch t := get("PMIX_BFROP_BUFFER_TYPE"); t {
	case "", "PMIX_BFROP_BUFFER_NON_DESC":
	case "PMIX_BFROP_BUFFER_FULLY_DESC":
		e.codec.described = true
	default:
		return notAvailable("the server wants buffers of the unknown type PMIX_BFROP_BUFFER_TYPE=%s", t)
	}
	if stores := get("PMIX_GDS_MODULE"); stores != "" && !slices.Contains(strings.Split(stores, ","), "hash") {
		return notAvailable("the server has no data store \"hash\" (PMIX_GDS_MODULE=%s)", stores)
	}
	if integers := get("PMIX_MCA_psquash"); integers != "" && integers != "flex128" {
		return notAvailable("the server may pack integers in another way (PMIX_MCA_psquash=%s)", integers)
	}
	// One name, never the server's list: given "munge,native" it takes munge
	// and refuses a native credential (pmix_psec_base_assign_module).
	security := get("PMIX_SECURITY_MODE")
	modes := strings.Split(security, ",")
	switch {
	case security == "", slices.Contains(modes, "native"):
		e.security = "native"
	case slices.Contains(modes, "munge"):
		e.security = "munge"
	default:
		return notAvailable("the server wants credentials of another kind than native or munge (PMIX_SECURITY_MODE=%s)", security)
	}
	return nil
}

// parseURI takes the address out of "nspace.rank;tcp4://127.0.0.1:40843" or
// "...;tcp6://[::1]:40843".
func parseURI(uri string) (netip.AddrPort, error) {
	_, location, found := strings.Cut(uri, ";")
	if !found {
		return netip.AddrPort{}, fmt.Errorf("no ';' after the server's name")
	}
	scheme, hostport, _ := strings.Cut(location, "://")
	if scheme != "tcp4" && scheme != "tcp6" {
		return netip.AddrPort{}, fmt.Errorf("neither tcp4:// nor tcp6://")
	}
	address, err := netip.ParseAddrPort(hostport)
	if err == nil && address.Port() == 0 {
		err = fmt.Errorf("port 0")
	}
	return address, err
}

// node is the node's name for messages.
func (e *environment) node() string {
	if e.host != "" {
		return e.host
	}
	name, err := os.Hostname()
	if err != nil {
		return "this node"
	}
	return name
}
