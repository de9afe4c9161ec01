// Package alive watches the processes of a job through a FIFO that they hold
// open, so that a test need not know their numbers, nor guess how long they take.
package alive

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Watch is a FIFO. A process opens Path to write a line that begins with hello,
// and keeps it open until it ends.
type Watch struct {
	Path string
	fifo *os.File
	text *bufio.Scanner
}

// New makes a FIFO for one test.
func New(t *testing.T) *Watch {
	path := filepath.Join(t.TempDir(), "alive")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return &Watch{Path: path}
}

// Wait returns when count processes have said hello.
func (w *Watch) Wait(t *testing.T, count int) {
	var err error
	w.fifo, err = os.Open(w.Path)
	require.NoError(t, err)
	t.Cleanup(func() { w.fifo.Close() })
	w.text = bufio.NewScanner(w.fifo)
	for range count {
		require.True(t, strings.HasPrefix(w.Next(t), "hello"))
	}
}

// Next returns what one of them says next.
func (w *Watch) Next(t *testing.T) string {
	require.True(t, w.text.Scan(), "no process is left")
	return w.text.Text()
}

// Gone returns when no process holds the FIFO any more, and what they have said
// until then.
func (w *Watch) Gone(t *testing.T) (said []string) {
	for w.text.Scan() {
		said = append(said, w.text.Text())
	}
	require.NoError(t, w.text.Err())
	return said
}
