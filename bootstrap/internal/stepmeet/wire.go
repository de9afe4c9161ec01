package stepmeet

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
//	         instance of this process 16, nonce 32; without proofs, text: why I give up
//	         <- answer   magic 8, verdict 1, proof that I want 1, nonce 32, text
//	proof    bytes
//	         <- grant    verdict 1, bytes: the text of rank 0, sealed
//
// Integers are big endian; bytes and text have a length of 2 before them. What
// is in proof and grant depends on the proof, see proof.go. A verdict
// other than verdictGoOn ends the dialogue and comes with a reason as the text;
// else the text of the answer is the name of rank 0's node. Hello and answer
// are covered by both proofs, by way of the hash of the two.
//
// The first bytes tell this dialogue from ame's, on the same port.
const (
	magic        = "dlp/slm\x00"
	version      = 3
	digestSize   = 16
	keyIDSize    = 8
	instanceSize = 16
	nonceSize    = 32
	helloSize    = len(magic) + 4 + 8 + digestSize + keyIDSize + instanceSize + nonceSize
	answerSize   = len(magic) + 2 + nonceSize

	maxReason = 1 << 10
	MaxText   = 3 << 10  // the longest text of rank 0; with label and transcript it fits a credential
	maxBytes  = 16 << 10 // a credential of that in base64, with room to spare
)

type verdict uint8

const (
	verdictGoOn         verdict = 1
	verdictOtherStep    verdict = 2 // this is rank 0 of another step
	verdictTaken        verdict = 3 // another process of your rank is here
	verdictNoProof      verdict = 4 // you offer no proof that I can check
	verdictOtherBuild   verdict = 5 // you speak another version of this protocol
	verdictRefused      verdict = 6 // your proof is wrong
	verdictOtherProgram verdict = 7 // this job of your step is complete; you are of another one
)

type rankHello struct {
	version  uint8
	offer    proofSet
	rank     uint32
	size     uint32
	digest   [digestSize]byte
	keyID    [keyIDSize]byte
	instance [instanceSize]byte
	nonce    [nonceSize]byte
}

// stepDigest stands for the step in a hello.
func stepDigest(name string) (digest [digestSize]byte) {
	sum := sha256.Sum256([]byte("dlp-go slurm step\x00" + name))
	copy(digest[:], sum[:])
	return digest
}

func (h *rankHello) appendTo(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, h.version, byte(h.offer), 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.rank)
	b = binary.BigEndian.AppendUint32(b, h.size)
	b = append(b, h.digest[:]...)
	b = append(b, h.keyID[:]...)
	b = append(b, h.instance[:]...)
	return append(b, h.nonce[:]...)
}

func parseHello(b [helloSize]byte) (h rankHello, err error) {
	if string(b[:len(magic)]) != magic {
		return h, errors.New("no hello of a rank")
	}
	rest := b[len(magic):]
	h.version, h.offer = rest[0], proofSet(rest[1])
	h.rank = binary.BigEndian.Uint32(rest[4:])
	h.size = binary.BigEndian.Uint32(rest[8:])
	rest = rest[12:]
	for _, field := range [][]byte{h.digest[:], h.keyID[:], h.instance[:], h.nonce[:]} {
		rest = rest[copy(field, rest):]
	}
	return h, nil
}

type rootAnswer struct {
	verdict verdict
	proof   proofSet // one of them
	nonce   [nonceSize]byte
	text    string
}

func (a *rootAnswer) appendTo(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, byte(a.verdict), byte(a.proof))
	b = append(b, a.nonce[:]...)
	return appendBytes(b, []byte(a.text))
}

func readAnswer(r io.Reader) (a rootAnswer, err error) {
	var b [answerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return a, err
	}
	if string(b[:len(magic)]) != magic {
		return a, errors.New("another program listens there")
	}
	rest := b[len(magic):]
	a.verdict, a.proof = verdict(rest[0]), proofSet(rest[1])
	copy(a.nonce[:], rest[2:])
	text, err := readBytes(r, maxReason)
	a.text = printable(string(text))
	return a, err
}

func appendBytes(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
	return append(b, field...)
}

func readBytes(r io.Reader, limit int) ([]byte, error) {
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

// transcriptOf is what both proofs are bound to: everything that was said.
func transcriptOf(hello *rankHello, answer *rootAnswer) [sha256.Size]byte {
	return sha256.Sum256(answer.appendTo(hello.appendTo(nil)))
}

// printable makes a peer's text fit for a message: short, valid, no control
// characters, and never longer than it was.
func printable(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxReason)], "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
