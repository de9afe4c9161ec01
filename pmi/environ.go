package pmi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

// endpoint is how a process reaches its launcher.
type endpoint struct {
	// By an inherited descriptor: PMI_FD, PMI_RANK, PMI_SIZE.
	fd, rank, size int

	// By TCP, if address is not empty: PMI_PORT and PMI_ID. The launcher
	// tells rank and size to whoever shows it the id.
	address, id string
}

// Detect says whether this process has a connection to a PMI launcher. nil
// means yes. An error that wraps ErrAbsent or ErrStale means that another
// launcher, or none, started it; any other error means that PMI did and
// cannot be used. Detect looks at the environment and at the descriptor
// named there and changes nothing. env is os.LookupEnv or its like.
func Detect(env func(string) (string, bool)) error {
	_, err := find(env)
	return err
}

func find(env func(string) (string, bool)) (endpoint, error) {
	number, haveFD := env("PMI_FD")
	var dead error
	if haveFD {
		parsed, err := strconv.ParseInt(number, 10, 32) // of a larger one the kernel would drop bits
		fd := int(parsed)
		switch {
		case err != nil || fd < 0:
			dead = fmt.Errorf("PMI_FD=%.40q is not a descriptor", number)
		default:
			dead = checkDescriptor(fd)
		}
		if dead == nil {
			rank, size, err := rankAndSize(env)
			return endpoint{fd: fd, rank: rank, size: size}, err
		}
	}
	address, havePort := env("PMI_PORT")
	id, haveID := env("PMI_ID")
	switch {
	case havePort && haveID:
		return portEndpoint(address, id)
	case !haveFD:
		return endpoint{}, fmt.Errorf("pmi: %w: neither PMI_FD nor PMI_PORT with PMI_ID is set", ErrAbsent)
	case nesting.UnderHydra(env):
		return endpoint{}, fmt.Errorf("pmi: %w: %w: a rank can use PMI once, and only if whatever starts the program "+
			"passes descriptor %s on: start one program per rank, directly", ErrLost, dead, number)
	}
	return endpoint{}, fmt.Errorf("pmi: %w: %w", ErrStale, dead)
}

func rankAndSize(env func(string) (string, bool)) (rank, size int, err error) {
	number := func(name string) int {
		text, ok := env(name)
		if !ok {
			text = "(not set)"
		}
		n, e := strconv.Atoi(text)
		if e != nil && err == nil {
			err = fmt.Errorf("pmi: PMI_FD is a live connection, but %s=%.40s is not a number", name, text)
		}
		return n
	}
	rank, size = number("PMI_RANK"), number("PMI_SIZE")
	if err == nil {
		err = checkRank(rank, size)
	}
	return rank, size, err
}

func checkRank(rank, size int) error {
	if size < 1 || size > maxMapped || rank < 0 || rank >= size {
		return fmt.Errorf("pmi: the launcher says rank %d of %d", rank, size)
	}
	return nil
}

// portEndpoint reads PMI_PORT, host:port. A host that is a bare IPv6 address
// is taken as well: launchers print it so.
func portEndpoint(address, id string) (endpoint, error) {
	colon := strings.LastIndexByte(address, ':')
	if colon <= 0 {
		return endpoint{}, fmt.Errorf("pmi: PMI_PORT=%.80q is not host:port", address)
	}
	host, port := address[:colon], address[colon+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return endpoint{}, fmt.Errorf("pmi: PMI_PORT=%.80q is not host:port", address)
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		address = "[" + host + "]:" + port
	}
	if _, err := strconv.Atoi(id); err != nil {
		return endpoint{}, fmt.Errorf("pmi: PMI_ID=%.40q is not a number", id)
	}
	return endpoint{address: address, id: id}, nil
}

// Environ returns the variables with which a launcher tells a child its rank
// and the number of the descriptor that is its end of a Pair. localRank and
// localSize count the ranks of the child's node, as hydra gives them.
func Environ(fd, rank, size, localRank, localSize int) []string {
	return []string{
		"PMI_FD=" + strconv.Itoa(fd),
		"PMI_RANK=" + strconv.Itoa(rank),
		"PMI_SIZE=" + strconv.Itoa(size),
		"MPI_LOCALRANKID=" + strconv.Itoa(localRank),
		"MPI_LOCALNRANKS=" + strconv.Itoa(localSize),
	}
}
