package bootstrap

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxControlLine is the longest line of a session in bytes, its newline
// included: room for hundreds of addresses.
const maxControlLine = 64 << 10

// controlVersion is the version of the protocol; both ends send theirs first.
const controlVersion = 1

// controlMessage is one line of a session, as JSON. control.go says which
// fields each op has.
type controlMessage struct {
	Op        string   `json:"op"`
	Version   int      `json:"version,omitempty"`
	Rank      int      `json:"rank"`
	Size      int      `json:"size,omitempty"`
	Job       string   `json:"job,omitempty"`
	Host      string   `json:"host,omitempty"`
	LocalRank int      `json:"local_rank,omitempty"`
	LocalSize int      `json:"local_size,omitempty"`
	Key       string   `json:"key,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Why       string   `json:"why,omitempty"`
}

// writeControl sends one message in one write.
func writeControl(w io.Writer, message controlMessage) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(line) >= maxControlLine {
		return fmt.Errorf("%s: message of %d bytes, at most %d are allowed", message.Op, len(line), maxControlLine-1)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// newControlReader returns a reader for readControl, which never holds more
// than one line.
func newControlReader(r io.Reader) *bufio.Reader {
	return bufio.NewReaderSize(r, maxControlLine)
}

// refusal is what the launcher says instead of an answer.
type refusal string

func (r refusal) Error() string { return string(r) }

// readControl reads one message, which must be one of the wanted ops. A message
// with op "error" becomes a refusal. No error repeats what was on the line, for
// that may be the key.
func readControl(r *bufio.Reader, wanted string) (controlMessage, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return controlMessage{}, fmt.Errorf("waiting for %q: line longer than %d bytes", wanted, maxControlLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return controlMessage{}, fmt.Errorf("waiting for %q: %w", wanted, io.ErrUnexpectedEOF)
	case err != nil:
		return controlMessage{}, fmt.Errorf("waiting for %q: %w", wanted, err)
	}
	var message controlMessage
	if json.Unmarshal(line, &message) != nil {
		return controlMessage{}, fmt.Errorf("waiting for %q: got a line of %d bytes that is no message", wanted, len(line))
	}
	if message.Op == "error" {
		return controlMessage{}, refusal(message.Why)
	}
	if message.Op != wanted {
		return controlMessage{}, fmt.Errorf("waiting for %q: got %.20q", wanted, message.Op)
	}
	return message, nil
}
