package slurm

import (
	"fmt"
	"net/netip"
	"time"
)

// Credential is what munged says about a credential that it accepts.
type Credential struct {
	Payload []byte
	UID     uint32 // effective user of the process that encoded it, as munged sees users
	GID     uint32
	AuthUID uint32 // the user who alone may decode it, or AnyUID
	AuthGID uint32

	Encoded time.Time // by the clock of the node that encoded it
	Decoded time.Time
	TTL     time.Duration
	Origin  netip.Addr // what the encoder's munged takes for its address; for logs only
}

// String names the credential without its payload, which may be a secret.
func (c Credential) String() string {
	return fmt.Sprintf("credential of uid %d, encoded %s, %d bytes", c.UID, c.Encoded.UTC().Format(time.RFC3339), len(c.Payload))
}

// GoString is String.
func (c Credential) GoString() string { return c.String() }
