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
	noRun      = strings.Repeat("\x00", runSize)
	openerWire = "dlp/ame\x00\x04\x02\x00\x00" + "\x00\x00\x00\x02" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00" + testJobDigest +
		noRun + strings.Repeat("i", instanceSize) + strings.Repeat("n", nonceSize)
	listenerWire = "dlp/ame\x00\x04\x01\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x03" + "\x00\x00\x00\x02" + testJobDigest +
		strings.Repeat("r", runSize) + strings.Repeat("I", instanceSize) + strings.Repeat("N", nonceSize)
)

func testConfig(rank, size int) *Config {
	return &Config{Rank: rank, Size: size, Root: Endpoint{Job: "test", Key: testKey}}
}

func testCredentials(cfg *Config) *credentials {
	return &credentials{
		rank: cfg.Rank, size: cfg.Size, job: cfg.Root.Job, key: cfg.Root.Key,
		instance: instance([]byte(strings.Repeat("i", instanceSize))),
	}
}

func TestHelloWire(t *testing.T) {
	require.Len(t, openerWire, helloSize)
	h, err := parseHello([]byte(openerWire))
	require.NoError(t, err)
	assert.Equal(t, openerWire, string(h.appendTo(nil)))
	assert.Equal(t, []uint32{2, 3, 0}, []uint32{h.rank, h.size, h.addressee})

	h, err = parseHello([]byte(listenerWire))
	require.NoError(t, err)
	assert.Equal(t, listenerWire, string(h.appendTo(nil)))
	assert.Equal(t, []uint32{0, 3, 2}, []uint32{h.rank, h.size, h.addressee})
	assert.Equal(t, run([]byte(strings.Repeat("r", runSize))), h.run)

	c := testCredentials(testConfig(2, 3))
	own, again := c.hello(roleOpener, 0), c.hello(roleOpener, 0)
	assert.Equal(t, openerWire[:helloSize-nonceSize], string(own.appendTo(nil)[:helloSize-nonceSize]))
	assert.NotEqual(t, own.nonce, again.nonce)
}

// Computed with Python: hmac.new(b"\x5a"*32, label+opener+listener, "sha256").
func TestProof(t *testing.T) {
	assert.Equal(t, "665e3e27a011e978579bd50f2640cd41902316c1670e4eda7c53b023f45a3959", hex.EncodeToString(proof(testKey, roleListener, []byte(openerWire), []byte(listenerWire), nil)))
	assert.Equal(t, "7d270c0d4bfd8d2f75914ad4c69870bb74e06a2d7387e956872050e1a47d2685", hex.EncodeToString(proof(testKey, roleOpener, []byte(openerWire), []byte(listenerWire), nil)))
}

// What an opener may say wrong, and what rank 0 of a job of three makes of it.
func TestHelloRefused(t *testing.T) {
	for name, c := range map[string]struct {
		offset int
		bytes  string
		want   string
	}{
		"other magic":         {0, "GET / HT", "does not speak this protocol"},
		"magic without zero":  {7, "\n", "does not speak this protocol"},
		"version 1":           {8, "\x01", "protocol version 1, this is 4"},
		"version 2":           {8, "\x02", "protocol version 2, this is 4"},
		"role of a listener":  {9, "\x01", "wrong role 1"},
		"no role":             {9, "\x00", "wrong role 0"},
		"rank 0":              {12, "\x00\x00\x00\x00", "it says to be rank 0 of 3, and this is rank 0"},
		"rank too large":      {12, "\x00\x00\x00\x03", "it says to be rank 3 of 3"},
		"largest rank":        {12, "\xff\xff\xff\xff", "it says to be rank 4294967295 of 3"},
		"smaller job":         {16, "\x00\x00\x00\x02", "its job has 2 ranks, ours 3"},
		"largest job":         {16, "\xff\xff\xff\xff", "its job has 4294967295 ranks, ours 3"},
		"meant for another":   {20, "\x00\x00\x00\x01", "it looks for rank 1, this is rank 0"},
		"other job":           {24, "\x00", "another job"},
		"other job, last bit": {39, "\x14", "another job"},
		"other program":       {40, "\x01", "another program of this task"},
	} {
		t.Run(name, func(t *testing.T) {
			b := []byte(openerWire)
			copy(b[c.offset:], c.bytes)
			root := testCredentials(testConfig(0, 3))
			root.run = run{1, 2, 3}
			_, err := root.admit(b, nil)
			assert.ErrorIs(t, err, ErrAuth)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// The whole conversation, without a connection.
func TestHandshake(t *testing.T) {
	root := testCredentials(testConfig(0, 3))
	root.run = run{1}
	o := testCredentials(testConfig(2, 3)).open(0)
	a, err := root.admit(o.mine, nil)
	require.NoError(t, err)
	answer, err := o.answer(a.reply)
	require.NoError(t, err)
	assert.Equal(t, root.run, o.theirs.run)
	require.NoError(t, a.prove(answer))
	assert.EqualValues(t, 2, a.opener.rank)
	answer[0] ^= 1
	assert.ErrorIs(t, a.prove(answer), errWrongKey)
}

// script is the other end of a handshake: it reads what it is to read and
// writes what it is to write, and closes.
type script func(conn net.Conn)

func TestGreetRefuses(t *testing.T) {
	other := testConfig(0, 3)
	other.Root.Key = bytes.Repeat([]byte{1}, 32)
	elsewhere := testConfig(1, 3)
	for name, c := range map[string]struct {
		peer script
		want string
	}{
		"wrong key":    {func(conn net.Conn) { receive(conn, testCredentials(other)) }, "wrong key"},
		"another rank": {func(conn net.Conn) { receive(conn, testCredentials(elsewhere)) }, "closed before its hello"},
		"mirror": {func(conn net.Conn) {
			io.Copy(conn, io.LimitReader(conn, int64(helloSize)))
			io.Copy(conn, bytes.NewReader(make([]byte, proofSize)))
		}, "wrong role 2"},
		"closes": {func(conn net.Conn) { io.CopyN(io.Discard, conn, int64(helloSize)) }, "closed before its hello"},
		"half a hello": {func(conn net.Conn) {
			io.CopyN(io.Discard, conn, int64(helloSize))
			conn.Write([]byte(listenerWire[:30]))
		}, "closed in the middle of its hello"},
		"other service": {func(conn net.Conn) {
			go io.Copy(io.Discard, conn)
			conn.Write(bytes.Repeat([]byte("SSH-2.0\r\n"), 20))
		}, "does not speak this protocol"},
		"replayed": {func(conn net.Conn) {
			io.CopyN(io.Discard, conn, int64(helloSize))
			conn.Write([]byte(listenerWire))
			conn.Write(proof(testKey, roleListener, []byte(openerWire), []byte(listenerWire), nil))
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
				cfg := testConfig(2, 3)
				cfg.Dial = l.Dial
				a := attempt{search: &search{credentials: *testCredentials(cfg), cfg: cfg}, address: "memory"}
				_, err := a.try(context.Background())
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

func FuzzReceive(f *testing.F) {
	f.Add([]byte(openerWire))
	f.Add([]byte(openerWire + strings.Repeat("p", proofSize)))
	f.Add([]byte(listenerWire))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		_, err := receive(scripted{bytes.NewReader(said), io.Discard}, testCredentials(testConfig(0, 3)))
		if !errors.Is(err, ErrAuth) && err != errAbandoned {
			t.Fatalf("accepted without a proof over its nonce, or failed oddly: %v", err)
		}
	})
}

func FuzzGreet(f *testing.F) {
	f.Add([]byte(listenerWire + strings.Repeat("p", proofSize)))
	f.Add([]byte(openerWire + strings.Repeat("p", proofSize)))
	f.Add([]byte(listenerWire))
	f.Fuzz(func(t *testing.T, said []byte) {
		answer, err := greet(scripted{bytes.NewReader(said), io.Discard}, testCredentials(testConfig(2, 3)).open(0))
		if answer != nil || !errors.Is(err, ErrAuth) || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("took it for rank 0, or failed oddly: %v", err)
		}
	})
}
