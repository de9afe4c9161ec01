package ame

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The handshake proves to both ends of a new connection that the other one
// knows the job's key, and which rank it is:
//
//	member -> root   hello                 who I am, my nonce
//	root -> member   hello, proof          the same of rank 0, HMAC as "root"
//	member -> root   proof                 HMAC as "member"
//	root -> member   verdict               one byte
//
// Each proof covers both hellos, so both nonces, ranks, sizes, versions and
// the job. A mirrored hello has the wrong role, a mirrored proof the wrong
// label. docs/ame-protocol.md has the byte tables.

// ErrAuth is wrapped by the error of a connection whose other end could not
// prove that it belongs to the job.
var ErrAuth = errors.New("not a member of this job")

const (
	helloMagic = "dlp/ame\x00"
	helloSize  = len(helloMagic) + 12 + jobDigestSize + nonceSize
	nonceSize  = 32
	proofSize  = sha256.Size

	// jobDigestSize bytes of SHA-256 of the job's name tell a stray rank of
	// another job from one with a wrong key.
	jobDigestSize = 16
)

type role uint8

const (
	roleRoot   role = 1
	roleMember role = 2
)

// label starts what the proof of a role is computed over.
func (r role) label() string {
	if r == roleRoot {
		return "dlp/ame root"
	}
	return "dlp/ame member"
}

type verdict uint8

const (
	verdictWelcome   verdict = 1
	verdictDuplicate verdict = 2
)

// hello is what each end says first about itself.
type hello struct {
	role  role
	rank  uint32
	size  uint32
	job   [jobDigestSize]byte
	nonce [nonceSize]byte
}

func newHello(role role, cfg *Config) (hello, error) {
	h := hello{role: role, rank: uint32(cfg.Rank), size: uint32(cfg.Size)}
	digest := sha256.Sum256([]byte(cfg.Root.Job))
	copy(h.job[:], digest[:])
	_, err := rand.Read(h.nonce[:])
	return h, err
}

// appendTo appends the wire form of h, helloSize bytes.
func (h *hello) appendTo(b []byte) []byte {
	b = append(b, helloMagic...)
	b = append(b, version, byte(h.role), 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.rank)
	b = binary.BigEndian.AppendUint32(b, h.size)
	b = append(b, h.job[:]...)
	return append(b, h.nonce[:]...)
}

// parseHello reads a hello from the first helloSize bytes of b and checks
// that it is one of a peer in the given role and of this job: all but proof.
func parseHello(b []byte, want role, cfg *Config) (hello, error) {
	_ = b[helloSize-1]
	if string(b[:len(helloMagic)]) != helloMagic {
		return hello{}, fmt.Errorf("%w: it does not speak this protocol", ErrAuth)
	}
	b = b[len(helloMagic):]
	if b[0] != version {
		return hello{}, fmt.Errorf("%w: it speaks protocol version %d, this is %d", ErrAuth, b[0], version)
	}
	h := hello{
		role: role(b[1]),
		rank: binary.BigEndian.Uint32(b[4:]),
		size: binary.BigEndian.Uint32(b[8:]),
	}
	copy(h.job[:], b[12:])
	copy(h.nonce[:], b[12+jobDigestSize:])
	digest := sha256.Sum256([]byte(cfg.Root.Job))
	switch {
	case h.role != want:
		return hello{}, fmt.Errorf("%w: wrong role %d (another rank of our kind, or a mirror)", ErrAuth, h.role)
	case [jobDigestSize]byte(digest[:jobDigestSize]) != h.job:
		return hello{}, fmt.Errorf("%w: it belongs to another job, or the job's name or key was set differently", ErrAuth)
	case int64(h.size) != int64(cfg.Size):
		return hello{}, fmt.Errorf("%w: its job has %d ranks, ours %d", ErrAuth, h.size, cfg.Size)
	case want == roleRoot && h.rank != 0, want == roleMember && (h.rank == 0 || h.rank >= h.size):
		return hello{}, fmt.Errorf("%w: rank %d of %d out of range", ErrAuth, h.rank, h.size)
	}
	return h, nil
}

// proof is the HMAC-SHA-256, under the job's key, of a role's label and of
// the two hellos in wire form, member first.
func proof(key []byte, r role, member, root []byte) []byte {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, r.label())
	mac.Write(member)
	mac.Write(root)
	return mac.Sum(nil)
}

// errWrongKey is what a peer of our job and protocol gets whose proof is not ours.
var errWrongKey = fmt.Errorf("%w: wrong key", ErrAuth)

// greetRoot is the first half of the member's side: it returns, once the
// other end has proved to be rank 0, the proof that the member owes it.
// Nothing that would make rank 0 count the connection as ours is sent, so a
// member may greet over several connections and go on with one.
func greetRoot(rw io.ReadWriter, cfg *Config) (answer []byte, err error) {
	own, err := newHello(roleMember, cfg)
	if err != nil {
		return nil, err
	}
	mine := own.appendTo(nil)
	if _, err := rw.Write(mine); err != nil {
		return nil, err
	}
	reply := make([]byte, helloSize+proofSize)
	if err := readPart(rw, reply, "hello"); err != nil {
		// Rank 0 of another job closes without a word.
		return nil, fmt.Errorf("%w; it is no rank 0, or was given another key, job or size than this rank", err)
	}
	theirs := reply[:helloSize]
	if _, err := parseHello(theirs, roleRoot, cfg); err != nil {
		return nil, err
	}
	if !hmac.Equal(reply[helloSize:], proof(cfg.Root.Key, roleRoot, mine, theirs)) {
		return nil, errWrongKey
	}
	return proof(cfg.Root.Key, roleMember, mine, theirs), nil
}

// answerRoot is the second half of the member's side.
func answerRoot(rw io.ReadWriter, answer []byte) (verdict, error) {
	if _, err := rw.Write(answer); err != nil {
		return 0, err
	}
	var v [1]byte
	if err := readPart(rw, v[:], "verdict"); err != nil {
		return 0, err
	}
	return verdict(v[0]), nil
}

// readPart reads a message of the handshake into b. Its errors say the same
// of every connection with the same fault, so that they can be counted.
func readPart(r io.Reader, b []byte, name string) error {
	_, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: no whole %s within %v: %w", ErrAuth, name, handshakeTimeout, os.ErrDeadlineExceeded)
	case err == io.EOF:
		return fmt.Errorf("%w: it closed before its %s", ErrAuth, name)
	case err == io.ErrUnexpectedEOF:
		return fmt.Errorf("%w: it closed in the middle of its %s", ErrAuth, name)
	}
	return fmt.Errorf("%w: before its %s: %s", ErrAuth, name, lossText(err))
}

// greetMember is rank 0's side up to its verdict: it returns the rank that
// the other end has proved to be.
func greetMember(rw io.ReadWriter, cfg *Config) (rank int, err error) {
	theirs := make([]byte, helloSize)
	if err := readPart(rw, theirs, "hello"); err != nil {
		return 0, err
	}
	member, err := parseHello(theirs, roleMember, cfg)
	if err != nil {
		return 0, err
	}
	own, err := newHello(roleRoot, cfg)
	if err != nil {
		return 0, err
	}
	mine := own.appendTo(nil)
	if _, err := rw.Write(append(mine, proof(cfg.Root.Key, roleRoot, theirs, mine)...)); err != nil {
		return 0, errAbandoned
	}
	answer := make([]byte, proofSize)
	if err := readPart(rw, answer, "proof"); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		return 0, errAbandoned
	}
	if !hmac.Equal(answer, proof(cfg.Root.Key, roleMember, theirs, mine[:helloSize])) {
		return 0, errWrongKey
	}
	return int(member.rank), nil
}

// errAbandoned is not a stranger's doing: a member that greets over several
// of our addresses goes on with one and closes the others at this point.
var errAbandoned = errors.New("closed before its proof")
