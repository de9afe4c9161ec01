// Package mungetest runs a real munged for tests, with a key and a socket of
// its own, so that a test needs no service of the machine. It is for tests only.
package mungetest

import (
	"bytes"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// Daemon is a running munged.
type Daemon struct {
	Socket string
	stop   func()
}

// Stop ends the daemon, as if its node had lost it: the socket stays where it
// is and nobody listens on it. The end of the test stops it otherwise.
func (d *Daemon) Stop() { d.stop() }

// Start runs a munged until the end of the test. Daemons of the same key stand
// for those of the nodes of one cluster; nil draws a key.
//
// Without munged on this machine the test is skipped, or fails where CI is set.
func Start(t testing.TB, key []byte) *Daemon {
	t.Helper()
	path := need.Program(t, "munged")
	// Not t.TempDir: the name of the test makes it too long for a socket.
	dir, err := os.MkdirTemp("", "munge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }
	if key == nil {
		key = Key()
	}
	if err := os.WriteFile(in("key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	// munged wants every user to reach its socket and nobody else its key; a
	// temporary directory is no place for either in its eyes, hence --force.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(path, "--foreground", "--force", "--key-file", in("key"), "--socket", in("socket"),
		"--pid-file", in("pid"), "--log-file", in("log"), "--seed-file", in("seed"))
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	// Killed, so that it leaves its socket behind.
	d := &Daemon{Socket: in("socket"), stop: func() { cmd.Process.Kill(); <-ended }}
	t.Cleanup(d.stop)
	awaitSocket(t, d.Socket, ended, &output)
	return d
}

// Key draws a key for daemons that are to understand each other.
func Key() []byte {
	key := make([]byte, 64)
	rand.Read(key)
	return key
}

// awaitSocket returns when munged accepts connections.
func awaitSocket(t testing.TB, path string, ended <-chan struct{}, output *bytes.Buffer) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(30 * time.Second)
	for {
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("munged ended: %s", output)
		case <-timeout:
			t.Fatal("munged does not listen after 30 s")
		}
	}
}
