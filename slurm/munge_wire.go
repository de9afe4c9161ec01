package slurm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"
)

// The messages between a client and munged, version 4 (munge 0.5.11 to 0.5.18).
// Integers are big endian; a string carries its NUL and its length counts it.
//
//	header   magic 4, version 1, type 1, retry 1, length of the body 4
//	ENC_REQ  cipher 1, mac 1, zip 1, realm_len 1, realm, ttl 4, auth_uid 4,
//	         auth_gid 4, data_len 4, data
//	ENC_RSP  error_num 1, error_len 1, error, data_len 4, data (the credential)
//	DEC_REQ  data_len 4, data (the credential)
//	DEC_RSP  error_num 1, error_len 1, error, cipher 1, mac 1, zip 1,
//	         realm_len 1, realm, ttl 4, addr_len 1, addr, encode time 4,
//	         decode time 4, cred_uid 4, cred_gid 4, auth_uid 4, auth_gid 4,
//	         data_len 4, data

const (
	mungeMagic      = 0x00606d4b
	mungeVersion    = 4
	mungeHeaderSize = 11

	mungeEncodeRequest = 2
	mungeDecodeRequest = 4 // the response is the request's type plus one

	mungeDefault = 1 // cipher, MAC and compression: the daemon's choice

	maxMungePayload  = 4 << 10  // of ours; munged takes 768 KiB
	maxMungeResponse = 64 << 10 // what can come back of it, with room to spare
	maxCredential    = 16 << 10
)

// AnyUID as a restriction lets every user decode a credential.
const AnyUID = math.MaxUint32

// readMungeMessage reads one message of the kind and returns its body.
func readMungeMessage(r io.Reader, kind byte) ([]byte, error) {
	var header [mungeHeaderSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	length, err := parseMungeHeader(header, kind)
	if err != nil {
		return nil, err
	}
	body := make([]byte, length)
	_, err = io.ReadFull(r, body)
	return body, err
}

func appendMungeHeader(b []byte, kind, retry byte, length int) []byte {
	b = binary.BigEndian.AppendUint32(b, mungeMagic)
	b = append(b, mungeVersion, kind, retry)
	return binary.BigEndian.AppendUint32(b, uint32(length))
}

// parseMungeHeader returns the length of the body that follows.
func parseMungeHeader(header [mungeHeaderSize]byte, kind byte) (int, error) {
	magic := binary.BigEndian.Uint32(header[0:])
	length := binary.BigEndian.Uint32(header[7:])
	switch {
	case magic != mungeMagic:
		return 0, fmt.Errorf("magic %08x, not %08x: not munged", magic, mungeMagic)
	case header[4] != mungeVersion:
		return 0, fmt.Errorf("protocol version %d, not %d", header[4], mungeVersion)
	case header[5] != kind:
		return 0, fmt.Errorf("message type %d, not %d", header[5], kind)
	case length > maxMungeResponse:
		return 0, fmt.Errorf("response of %d bytes, at most %d are allowed", length, maxMungeResponse)
	}
	return int(length), nil
}

// appendEncodeBody asks for the daemon's default lifetime (300 s): a shorter one
// only makes clocks that differ matter.
func appendEncodeBody(b, payload []byte, uid uint32) []byte {
	b = append(b, mungeDefault, mungeDefault, mungeDefault, 0) // no realm
	b = binary.BigEndian.AppendUint32(b, 0)                    // ttl
	b = binary.BigEndian.AppendUint32(b, uid)
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32) // any group
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

func appendDecodeBody(b []byte, credential string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(credential)+1))
	b = append(b, credential...)
	return append(b, 0)
}

// parseEncoded returns the credential of an ENC_RSP. A refusal by munged is a
// *MungeError.
func parseEncoded(body []byte) (string, error) {
	r := mungeReader{rest: body}
	code, text := r.status()
	// The error number first: on errors, the rest of the message is empty.
	if code != 0 && r.err == nil {
		return "", &MungeError{Code: code, Text: text}
	}
	credential := cString(r.bytes(int(r.uint32())))
	if err := r.end(); err != nil {
		return "", err
	}
	if credential == "" {
		return "", errors.New("empty credential")
	}
	return credential, nil
}

// parseDecoded returns the contents of a DEC_RSP. A refusal by munged is a
// *MungeError, with nothing of the credential but its age.
func parseDecoded(body []byte) (Credential, error) {
	r := mungeReader{rest: body}
	code, text := r.status()
	r.bytes(3)              // cipher, MAC and compression as used
	r.bytes(int(r.uint8())) // realm: carried by munge, never checked
	ttl := r.uint32()
	origin := r.address()
	encoded, decoded := r.uint32(), r.uint32()
	c := Credential{
		TTL:     time.Duration(ttl) * time.Second,
		Origin:  origin,
		Encoded: time.Unix(int64(encoded), 0),
		Decoded: time.Unix(int64(decoded), 0),
		UID:     r.uint32(),
		GID:     r.uint32(),
		AuthUID: r.uint32(),
		AuthGID: r.uint32(),
	}
	c.Payload = bytes.Clone(r.bytes(int(r.uint32())))
	if err := r.end(); err != nil {
		return Credential{}, err
	}
	if code != 0 {
		return Credential{}, &MungeError{Code: code, Text: text, Age: c.Decoded.Sub(c.Encoded), TTL: c.TTL}
	}
	return c, nil
}

// mungeReader takes fields off a body. After the first one that is missing all
// others are zero, and end says so.
type mungeReader struct {
	rest []byte
	err  error
}

func (r *mungeReader) bytes(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.rest)) {
		r.err = fmt.Errorf("field of %d bytes where %d are left", n, len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	field := r.rest[:n]
	r.rest = r.rest[n:]
	return field
}

func (r *mungeReader) uint8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *mungeReader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *mungeReader) status() (MungeCode, string) {
	code := MungeCode(r.uint8())
	return code, cString(r.bytes(int(r.uint8())))
}

// address reads the origin: four bytes, or none where munged blanked it. Any
// other length is refused (CVE-2026-25506 was an unchecked one).
func (r *mungeReader) address() netip.Addr {
	n := int(r.uint8())
	if n != 0 && n != 4 && r.err == nil {
		r.err = fmt.Errorf("address of %d bytes", n)
	}
	addr, _ := netip.AddrFromSlice(r.bytes(n))
	return addr
}

func (r *mungeReader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes after the last field", len(r.rest))
	}
	return r.err
}

// cString cuts at the first NUL: munged sends one, and of a realm two.
func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}
