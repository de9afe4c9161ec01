package ame

import (
	"fmt"
	"io"
)

// Endpoint is where rank 0 of a job listens, and what proves to it that a rank
// belongs to the job.
type Endpoint struct {
	Job       string   // the same on all ranks of the job; not secret
	Key       Key      // the same on all ranks
	Host      string   // name of rank 0's node, for messages; may be ""
	Addresses []string // tried side by side; the first whose handshake succeeds is used
}

// minKey is the least length of a key, in bytes.
const minKey = 16

func (e *Endpoint) check() error {
	if len(e.Key) < minKey {
		return fmt.Errorf("a key of %d bytes is too short, at least %d are needed", len(e.Key), minKey)
	}
	return nil
}

// Key is the secret of a job. It hides itself from every fmt verb and from
// encoders such as encoding/json.
type Key []byte

// hidden is what a key looks like when it is printed.
const hidden = "(secret)"

// Format writes that there is a secret.
func (Key) Format(s fmt.State, _ rune) { io.WriteString(s, hidden) }

// MarshalText says that there is a secret.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
