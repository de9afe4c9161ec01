package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/progress"
)

// maxLine is the longest line of a session in bytes, its newline
// included: room for hundreds of addresses.
const maxLine = 64 << 10

// version is the version of the protocol; both ends send theirs first.
const version = 2

// message is one line of a session, as JSON. doc.go says which
// fields each op has.
type message struct {
	Op        string   `json:"op"`
	Version   int      `json:"version,omitempty"`
	Rank      int      `json:"rank"`
	Size      int      `json:"size,omitempty"`
	Job       string   `json:"job,omitempty"`
	Host      string   `json:"host,omitempty"`
	App       int      `json:"app,omitempty"`
	LocalRank int      `json:"local_rank,omitempty"`
	LocalSize int      `json:"local_size,omitempty"`
	Text      string   `json:"text,omitempty"` // rank 0's word to the others
	Addresses []string `json:"addresses,omitempty"`
	Why       string   `json:"why,omitempty"`

	Bar      bool            `json:"bar,omitempty"` // the launcher shows progress
	Progress *progress.State `json:"progress,omitempty"`
	Peer     int             `json:"peer,omitempty"` // who was lost
}

// write sends one message in one write.
func write(w io.Writer, m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(line) >= maxLine {
		return fmt.Errorf("%s: message of %d bytes, at most %d are allowed", m.Op, len(line), maxLine-1)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// newReader returns a reader for read, which never holds more
// than one line.
func newReader(r io.Reader) *bufio.Reader {
	return bufio.NewReaderSize(r, maxLine)
}

// refusal is what the launcher says instead of an answer.
type refusal string

func (r refusal) Error() string { return string(r) }

// read reads one message, which must be one of the wanted ops. A message
// with op "error" becomes a refusal. No error repeats what was on the line, for
// that may be the key.
func read(r *bufio.Reader, ops ...string) (message, error) {
	wanted := strings.Join(ops, " or ")
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return message{}, fmt.Errorf("waiting for %q: line longer than %d bytes", wanted, maxLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return message{}, fmt.Errorf("waiting for %q: %w", wanted, io.ErrUnexpectedEOF)
	case err != nil:
		return message{}, fmt.Errorf("waiting for %q: %w", wanted, err)
	}
	var m message
	if json.Unmarshal(line, &m) != nil {
		return message{}, fmt.Errorf("waiting for %q: got a line of %d bytes that is no message", wanted, len(line))
	}
	if m.Op == "error" {
		return message{}, refusal(m.Why)
	}
	if !slices.Contains(ops, m.Op) {
		return message{}, fmt.Errorf("waiting for %q: got %.20q", wanted, m.Op)
	}
	return m, nil
}
