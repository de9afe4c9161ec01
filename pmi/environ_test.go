package pmi

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

type mapEnv map[string]string

func (env mapEnv) lookup(name string) (string, bool) {
	value, ok := env[name]
	return value, ok
}

// inherited returns a descriptor of file as a child would have it: one that is
// not close-on-exec. It belongs to the test.
func inherited(t *testing.T, file *os.File) int {
	t.Helper()
	fd, err := syscall.Dup(int(file.Fd()))
	require.NoError(t, err)
	return fd
}

// testPair returns a Pair whose child end looks inherited.
func testPair(t *testing.T) (server net.Conn, fd int) {
	t.Helper()
	server, child, err := Pair()
	require.NoError(t, err)
	defer child.Close()
	return server, inherited(t, child)
}

func TestDetect(t *testing.T) {
	if runtime.GOOS == "windows" {
		need.Unable(t, "launchers do not hand out descriptors on Windows")
	}
	live, fd := testPair(t)
	defer live.Close()
	defer syscall.Close(fd)
	hungUp, dead := testPair(t)
	defer syscall.Close(dead)
	require.NoError(t, hungUp.Close())
	talking, busy := testPair(t)
	defer talking.Close()
	defer syscall.Close(busy)
	_, err := talking.Write([]byte("cmd=finalize_ack\n"))
	require.NoError(t, err)

	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer file.Close()
	regular := inherited(t, file)
	defer syscall.Close(regular)
	datagram, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	require.NoError(t, err)
	defer syscall.Close(datagram[0])
	defer syscall.Close(datagram[1])
	unconnected, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer syscall.Close(unconnected)
	server, own, err := Pair()
	require.NoError(t, err)
	defer server.Close()
	defer own.Close()

	seat := func(fd int) mapEnv {
		return mapEnv{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": "1", "PMI_SIZE": "2"}
	}
	with := func(env mapEnv, pairs ...string) mapEnv {
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	tests := []struct {
		name string
		env  mapEnv
		is   error
		text string
	}{
		{"nothing", mapEnv{}, ErrAbsent, "neither PMI_FD nor PMI_PORT"},
		{"rank and size alone, as Cray's", mapEnv{"PMI_RANK": "0", "PMI_SIZE": "2"}, ErrAbsent, ""},
		{"port without id", mapEnv{"PMI_PORT": "node1:4000"}, ErrAbsent, ""},
		{"hydra above, variables gone", mapEnv{"MPI_LOCALNRANKS": "2"}, ErrAbsent, ""},
		{"live", seat(fd), nil, ""},
		{"no number", mapEnv{"PMI_FD": "three"}, ErrStale, `PMI_FD="three" is not a descriptor`},
		{"negative", mapEnv{"PMI_FD": "-1"}, ErrStale, "is not a descriptor"},
		{"more bits than the kernel looks at", with(seat(0), "PMI_FD", strconv.FormatInt(1<<32+int64(fd), 10)), ErrStale, "is not a descriptor"},
		{"not open", seat(99999), ErrStale, "descriptor 99999 is not open"},
		{"a file", seat(regular), ErrStale, "is not a stream socket"},
		{"a datagram socket", seat(datagram[0]), ErrStale, "is not a stream socket"},
		{"a socket of its own", seat(unconnected), ErrStale, "without a peer"},
		{"opened by this program", seat(int(own.Fd())), ErrStale, "this program opened it"},
		{"after finalize", seat(dead), ErrStale, "the launcher has closed descriptor"},
		{"in the middle of a session", seat(busy), ErrStale, "unread data"},
		{"dead under hydra", with(seat(dead), "MPI_LOCALNRANKS", "2"), ErrLost, "start one program per rank"},
		{"dead under a forking hydra", with(seat(99999), "HYDI_CONTROL_FD", "5"), ErrLost, "passes descriptor 99999 on"},
		{"dead, but there is a port", with(seat(dead), "PMI_PORT", "node1:4000", "PMI_ID", "0"), nil, ""},
		{"no size", mapEnv{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": "0"}, nil, "PMI_SIZE=(not set) is not a number"},
		{"rank too large", with(seat(fd), "PMI_RANK", "2"), nil, "the launcher says rank 2 of 2"},
		{"size zero", with(seat(fd), "PMI_SIZE", "0"), nil, "of 0"},
		{"size absurd", with(seat(fd), "PMI_SIZE", "1000000000"), nil, "of 1000000000"},
		{"port", mapEnv{"PMI_PORT": "node1:4000", "PMI_ID": "0"}, nil, ""},
		{"port without a number", mapEnv{"PMI_PORT": "node1", "PMI_ID": "0"}, nil, "is not host:port"},
		{"id without a number", mapEnv{"PMI_PORT": "node1:4000", "PMI_ID": "x"}, nil, "PMI_ID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // looking changes nothing
				err := Detect(tt.env.lookup)
				for _, sentinel := range []error{ErrAbsent, ErrStale, ErrLost} {
					assert.Equal(t, sentinel == tt.is, errors.Is(err, sentinel), "%v: %v", sentinel, err)
				}
				if tt.text != "" {
					assert.ErrorContains(t, err, tt.text)
				} else if tt.is == nil {
					assert.NoError(t, err)
				}
			}
		})
	}
}

func TestPortEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"node1:4000": "node1:4000", "10.0.0.1:4000": "10.0.0.1:4000", "fd00::1:4000": "[fd00::1]:4000", "[fd00::1]:4000": "[fd00::1]:4000",
	} {
		e, err := portEndpoint(text, "0")
		require.NoError(t, err)
		assert.Equal(t, want, e.address)
	}
	for _, text := range []string{"", ":", ":4000", "node1:", "node1:x", "node1:70000"} {
		_, err := portEndpoint(text, "0")
		assert.Error(t, err, "%q", text)
	}
}

func TestEnviron(t *testing.T) {
	env := mapEnv{}
	for _, pair := range Environ(3, 2, 8, 2, 8) {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	assert.Equal(t, mapEnv{"PMI_FD": "3", "PMI_RANK": "2", "PMI_SIZE": "8", "MPI_LOCALRANKID": "2", "MPI_LOCALNRANKS": "8"}, env)
}
