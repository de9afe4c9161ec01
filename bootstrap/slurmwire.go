package bootstrap

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The rendezvous of a Slurm step. Any rank but 0 connects to a port at which
// rank 0 may listen, and says:
//
//	hello    magic 8, version 1, proofs that I can give 1, 0 2, rank 4, size 4,
//	         digest of cluster, job, restart and step 16, id of my key file 8,
//	         instance of this process 16, nonce 32
//	         <- answer   magic 8, verdict 1, proof that I want 1, nonce 32, text
//	proof    bytes
//	         <- grant    verdict 1, bytes: the invitation, sealed
//
// Integers are big endian; bytes and text have a length of 2 before them. What
// is in proof and grant depends on the proof, see slurmproof.go. A verdict
// other than slurmGoOn ends the dialogue and comes with a reason as the text;
// else the text of the answer is the name of rank 0's node. Hello and answer
// are covered by both proofs, by way of the hash of the two.
//
// The first bytes tell this dialogue from ame's, on the same port.
const (
	slurmMagic        = "dlp/slm\x00"
	slurmVersion      = 1
	slurmDigestSize   = 16
	slurmKeyIDSize    = 8
	slurmInstanceSize = 16
	slurmNonceSize    = 32
	slurmHelloSize    = len(slurmMagic) + 4 + 8 + slurmDigestSize + slurmKeyIDSize + slurmInstanceSize + slurmNonceSize
	slurmAnswerSize   = len(slurmMagic) + 2 + slurmNonceSize

	maxSlurmText  = 1 << 10
	maxSlurmGrant = 3 << 10  // an invitation; with label and transcript it fits a credential
	maxSlurmBytes = 16 << 10 // a credential of that in base64, with room to spare
)

type slurmVerdict uint8

const (
	slurmGoOn       slurmVerdict = 1
	slurmOtherStep  slurmVerdict = 2 // this is rank 0 of another step
	slurmTaken      slurmVerdict = 3 // another process of your rank is here
	slurmNoProof    slurmVerdict = 4 // you offer no proof that I can check
	slurmOtherBuild slurmVerdict = 5 // you speak another version of this protocol
	slurmRefused    slurmVerdict = 6 // your proof is wrong
)

type slurmHello struct {
	version  uint8
	offer    slurmProofSet
	rank     uint32
	size     uint32
	digest   [slurmDigestSize]byte
	keyID    [slurmKeyIDSize]byte
	instance [slurmInstanceSize]byte
	nonce    [slurmNonceSize]byte
}

// slurmDigest stands for the step in a hello.
func slurmDigest(name string) (digest [slurmDigestSize]byte) {
	sum := sha256.Sum256([]byte("dlp-go slurm step\x00" + name))
	copy(digest[:], sum[:])
	return digest
}

func (h *slurmHello) appendTo(b []byte) []byte {
	b = append(b, slurmMagic...)
	b = append(b, h.version, byte(h.offer), 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.rank)
	b = binary.BigEndian.AppendUint32(b, h.size)
	b = append(b, h.digest[:]...)
	b = append(b, h.keyID[:]...)
	b = append(b, h.instance[:]...)
	return append(b, h.nonce[:]...)
}

func parseSlurmHello(b [slurmHelloSize]byte) (h slurmHello, err error) {
	if string(b[:len(slurmMagic)]) != slurmMagic {
		return h, errors.New("no hello of a rank")
	}
	rest := b[len(slurmMagic):]
	h.version, h.offer = rest[0], slurmProofSet(rest[1])
	h.rank = binary.BigEndian.Uint32(rest[4:])
	h.size = binary.BigEndian.Uint32(rest[8:])
	rest = rest[12:]
	for _, field := range [][]byte{h.digest[:], h.keyID[:], h.instance[:], h.nonce[:]} {
		rest = rest[copy(field, rest):]
	}
	return h, nil
}

type slurmAnswer struct {
	verdict slurmVerdict
	proof   slurmProofSet // one of them
	nonce   [slurmNonceSize]byte
	text    string
}

func (a *slurmAnswer) appendTo(b []byte) []byte {
	b = append(b, slurmMagic...)
	b = append(b, byte(a.verdict), byte(a.proof))
	b = append(b, a.nonce[:]...)
	return appendSlurmBytes(b, []byte(a.text))
}

func readSlurmAnswer(r io.Reader) (a slurmAnswer, err error) {
	var b [slurmAnswerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return a, err
	}
	if string(b[:len(slurmMagic)]) != slurmMagic {
		return a, errors.New("another program listens there")
	}
	rest := b[len(slurmMagic):]
	a.verdict, a.proof = slurmVerdict(rest[0]), slurmProofSet(rest[1])
	copy(a.nonce[:], rest[2:])
	text, err := readSlurmBytes(r, maxSlurmText)
	a.text = slurmText(string(text))
	return a, err
}

func appendSlurmBytes(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
	return append(b, field...)
}

func readSlurmBytes(r io.Reader, limit int) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if n > limit {
		return nil, fmt.Errorf("field of %d bytes, at most %d are allowed", n, limit)
	}
	field := make([]byte, n)
	_, err := io.ReadFull(r, field)
	return field, err
}

// slurmTranscript is what both proofs are bound to: everything that was said.
func slurmTranscript(hello *slurmHello, answer *slurmAnswer) [sha256.Size]byte {
	return sha256.Sum256(answer.appendTo(hello.appendTo(nil)))
}

// slurmText makes a peer's text fit for a message: short, valid, no control
// characters, and never longer than it was.
func slurmText(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxSlurmText)], "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
