package ame

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SHA-256("test"), the first half.
const testJobDigest = "\x9f\x86\xd0\x81\x88\x4c\x7d\x65\x9a\x2f\xea\xa0\xc5\x5a\xd0\x15"

var (
	memberWire = "dlp/ame\x00\x01\x02\x00\x00\x00\x00\x00\x02\x00\x00\x00\x03" + testJobDigest + strings.Repeat("m", nonceSize)
	rootWire   = "dlp/ame\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03" + testJobDigest + strings.Repeat("r", nonceSize)
)

func testConfig(rank, size int) *Config {
	return &Config{Rank: rank, Size: size, Root: Endpoint{Job: "test", Key: testKey}}
}

func TestHelloWire(t *testing.T) {
	require.Len(t, memberWire, helloSize)
	h, err := parseHello([]byte(memberWire), roleMember, testConfig(0, 3))
	require.NoError(t, err)
	assert.Equal(t, memberWire, string(h.appendTo(nil)))
	assert.EqualValues(t, 2, h.rank)

	h, err = parseHello([]byte(rootWire), roleRoot, testConfig(2, 3))
	require.NoError(t, err)
	assert.Equal(t, rootWire, string(h.appendTo(nil)))

	own, err := newHello(roleMember, testConfig(2, 3))
	require.NoError(t, err)
	assert.Equal(t, memberWire[:helloSize-nonceSize], string(own.appendTo(nil)[:helloSize-nonceSize]))
	again, err := newHello(roleMember, testConfig(2, 3))
	require.NoError(t, err)
	assert.NotEqual(t, own.nonce, again.nonce)
}

// Computed with Python: hmac.new(b"\x5a"*32, label+member+root, "sha256").
func TestProof(t *testing.T) {
	assert.Equal(t, "9e94e829004cfce1152a97f885244f33e75c10293cdbae8b83b2205cce5944fa", hex.EncodeToString(proof(testKey, roleRoot, []byte(memberWire), []byte(rootWire))))
	assert.Equal(t, "127557321a2bfb64917cd0750d09e78a42750865a856e1dac41503c701eefddd", hex.EncodeToString(proof(testKey, roleMember, []byte(memberWire), []byte(rootWire))))
}

func TestHelloRefused(t *testing.T) {
	for name, c := range map[string]struct {
		offset int
		bytes  string
		want   string
	}{
		"other magic":         {0, "GET / HT", "does not speak this protocol"},
		"magic without zero":  {7, "\n", "does not speak this protocol"},
		"version 0":           {8, "\x00", "protocol version 0, this is 1"},
		"version 2":           {8, "\x02", "protocol version 2, this is 1"},
		"role of rank 0":      {9, "\x01", "wrong role 1"},
		"no role":             {9, "\x00", "wrong role 0"},
		"rank 0":              {12, "\x00\x00\x00\x00", "rank 0 of 3 out of range"},
		"rank too large":      {12, "\x00\x00\x00\x03", "rank 3 of 3 out of range"},
		"largest rank":        {12, "\xff\xff\xff\xff", "rank 4294967295 of 3 out of range"},
		"smaller job":         {16, "\x00\x00\x00\x02", "its job has 2 ranks, ours 3"},
		"largest job":         {16, "\xff\xff\xff\xff", "its job has 4294967295 ranks, ours 3"},
		"other job":           {20, "\x00", "another job"},
		"other job, last bit": {35, "\x14", "another job"},
	} {
		t.Run(name, func(t *testing.T) {
			b := []byte(memberWire)
			copy(b[c.offset:], c.bytes)
			_, err := parseHello(b, roleMember, testConfig(0, 3))
			assert.ErrorIs(t, err, ErrAuth)
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := parseHello([]byte(strings.Replace(rootWire, "\x00\x00\x00\x00\x00\x00\x00\x03", "\x00\x00\x00\x01\x00\x00\x00\x03", 1)), roleRoot, testConfig(2, 3))
	assert.ErrorContains(t, err, "rank 1 of 3 out of range")
}

func TestHandshake(t *testing.T) {
	member, root := net.Pipe()
	defer member.Close()
	defer root.Close()
	type result struct {
		rank int
		err  error
	}
	accepted := make(chan result, 1)
	go func() {
		rank, err := greetMember(root, testConfig(0, 3))
		accepted <- result{rank, err}
		root.Write([]byte{byte(verdictWelcome)})
	}()
	answer, err := greetRoot(member, testConfig(2, 3))
	require.NoError(t, err)
	v, err := answerRoot(member, answer)
	require.NoError(t, err)
	assert.Equal(t, verdictWelcome, v)
	assert.Equal(t, result{2, nil}, <-accepted)
}

// script is the other end of a handshake: it reads what it is to read and
// writes what it is to write, and closes.
type script func(conn net.Conn)

func TestGreetRootRefuses(t *testing.T) {
	other := testConfig(0, 3)
	other.Root.Key = bytes.Repeat([]byte{1}, 32)
	for name, c := range map[string]struct {
		peer script
		want string
	}{
		"wrong key": {func(conn net.Conn) { greetMember(conn, other) }, "wrong key"},
		"mirror": {func(conn net.Conn) {
			io.Copy(conn, io.LimitReader(conn, int64(helloSize)))
			io.Copy(conn, bytes.NewReader(make([]byte, proofSize)))
		}, "wrong role 2"},
		"another rank": {func(conn net.Conn) {
			go io.CopyN(io.Discard, conn, int64(helloSize))
			conn.Write([]byte(memberWire))
			conn.Write(make([]byte, proofSize))
		}, "wrong role 2"},
		"closes":        {func(conn net.Conn) { io.CopyN(io.Discard, conn, int64(helloSize)) }, "closed before its hello"},
		"half a hello":  {func(conn net.Conn) { io.CopyN(io.Discard, conn, int64(helloSize)); conn.Write([]byte(rootWire[:30])) }, "closed in the middle of its hello"},
		"other service": {func(conn net.Conn) { go io.Copy(io.Discard, conn); conn.Write(bytes.Repeat([]byte("SSH-2.0\r\n"), 20)) }, "does not speak this protocol"},
		"replayed": {func(conn net.Conn) {
			io.CopyN(io.Discard, conn, int64(helloSize))
			conn.Write([]byte(rootWire))
			conn.Write(proof(testKey, roleRoot, []byte(memberWire), []byte(rootWire)))
		}, "wrong key"},
		"silent": {func(conn net.Conn) { io.Copy(io.Discard, conn) }, "no whole hello within 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewMemoryListener()
				go func() {
					conn, _ := l.Accept()
					c.peer(conn)
					conn.Close()
				}()
				a := attempt{address: "memory"}
				cfg := testConfig(2, 3)
				cfg.Dial = l.Dial
				_, err := a.try(context.Background(), cfg)
				assert.ErrorIs(t, err, ErrAuth)
				assert.ErrorContains(t, err, c.want)
			})
		})
	}
}

// scripted is a connection whose other end has said everything already.
type scripted struct {
	io.Reader
	io.Writer
}

func FuzzGreetMember(f *testing.F) {
	f.Add([]byte(memberWire))
	f.Add([]byte(memberWire + strings.Repeat("p", proofSize)))
	f.Add([]byte(rootWire))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		_, err := greetMember(scripted{bytes.NewReader(said), io.Discard}, testConfig(0, 3))
		if !errors.Is(err, ErrAuth) && err != errAbandoned {
			t.Fatalf("accepted without a proof over its nonce, or failed oddly: %v", err)
		}
	})
}

func FuzzGreetRoot(f *testing.F) {
	f.Add([]byte(rootWire + strings.Repeat("p", proofSize)))
	f.Add([]byte(memberWire + strings.Repeat("p", proofSize)))
	f.Add([]byte(rootWire))
	f.Fuzz(func(t *testing.T, said []byte) {
		answer, err := greetRoot(scripted{bytes.NewReader(said), io.Discard}, testConfig(2, 3))
		if answer != nil || !errors.Is(err, ErrAuth) || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("took it for rank 0, or failed oddly: %v", err)
		}
	})
}
