package ame

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrAuth is wrapped by the error of a connection whose other end could not
// prove that it belongs to the job.
var ErrAuth = errors.New("not a member of this job")

const (
	helloMagic = "dlp/ame\x00"
	helloSize  = len(helloMagic) + 16 + jobDigestSize + runSize + instanceSize + nonceSize
	nonceSize  = 32
	proofSize  = sha256.Size

	// jobDigestSize bytes of SHA-256 of the job's name tell a stray rank of
	// another job from one with a wrong key.
	jobDigestSize = 16
	runSize       = 16
	instanceSize  = 16
)

// instance tells processes apart that claim the same rank. It is drawn by each
// Connect.
type instance [instanceSize]byte

// run tells jobs apart that have the same name and key, such as two programs
// of one task whose user has set both by hand. Rank 0 draws it; zero: not known.
type run [runSize]byte

// role is a byte of the protocol.
type role uint8

const (
	roleListener role = 1
	roleOpener   role = 2
)

// label starts what the proof of a role is computed over.
func (r role) label() string {
	if r == roleListener {
		return "dlp/ame listener"
	}
	return "dlp/ame opener"
}

// verdict is the last byte of a handshake.
type verdict uint8

const (
	verdictWelcome   verdict = 1 // send your join frame
	verdictDuplicate verdict = 2 // another process is your rank; do not come again
	verdictElsewhere verdict = 3 // this is another program of your task; yours may be to come
	verdictCrossing  verdict = 4 // this rank is making a link to yours, or has one; do not come again
)

// hello is what each end says first about itself.
type hello struct {
	role      role
	rank      uint32
	size      uint32
	addressee uint32 // rank that it means to speak to
	job       [jobDigestSize]byte
	run       run
	instance  instance
	nonce     [nonceSize]byte
}

// appendTo appends the wire form of h, helloSize bytes.
func (h *hello) appendTo(b []byte) []byte {
	b = append(b, helloMagic...)
	b = append(b, version, byte(h.role), 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.rank)
	b = binary.BigEndian.AppendUint32(b, h.size)
	b = binary.BigEndian.AppendUint32(b, h.addressee)
	b = append(b, h.job[:]...)
	b = append(b, h.run[:]...)
	b = append(b, h.instance[:]...)
	return append(b, h.nonce[:]...)
}

// parseHello reads a hello from the first helloSize bytes of b.
func parseHello(b []byte) (hello, error) {
	_ = b[helloSize-1]
	if err := speaksTLS(b[0]); err != nil {
		return hello{}, err
	}
	if string(b[:len(helloMagic)]) != helloMagic {
		return hello{}, fmt.Errorf("%w: it does not speak this protocol", ErrAuth)
	}
	b = b[len(helloMagic):]
	if b[0] != version {
		return hello{}, fmt.Errorf("%w: it speaks protocol version %d, this is %d", ErrAuth, b[0], version)
	}
	h := hello{
		role:      role(b[1]),
		rank:      binary.BigEndian.Uint32(b[4:]),
		size:      binary.BigEndian.Uint32(b[8:]),
		addressee: binary.BigEndian.Uint32(b[12:]),
	}
	b = b[16:]
	b = b[copy(h.job[:], b):]
	b = b[copy(h.run[:], b):]
	b = b[copy(h.instance[:], b):]
	copy(h.nonce[:], b)
	return h, nil
}

// jobDigest is what a hello says of the job's name.
func jobDigest(job string) [jobDigestSize]byte {
	digest := sha256.Sum256([]byte(job))
	return [jobDigestSize]byte(digest[:jobDigestSize])
}

// proof is the HMAC-SHA-256, under the job's key, of a role's label, of the two
// hellos in wire form, the opener's first, and of the connection's binding.
func proof(key Key, r role, opener, listener, binding []byte) []byte {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, r.label())
	mac.Write(opener)
	mac.Write(listener)
	mac.Write(binding)
	return mac.Sum(nil)
}
