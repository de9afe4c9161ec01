package slurm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mungetest"
)

// Frames captured between libmunge 0.5.15 and munged.
const (
	encodeHello       = "00606d4b04020000000019010101000000004d000003e8ffffffff0000000568656c6c6f"
	decodeHello       = "00606d4b0405000000003 00000040500000000004d047f0000016b009f5b6b009f5b000003e8000003e8000003e8ffffffff0000000568656c6c6f"
	decodeRealm       = "00606d4b040500000000300000040500056162630000000001 2c047f0000016b00a0c46b00a0c40000000000000000ffffffffffffffff00000000"
	decodeReplayed    = "00606d4b0405000000004411145265706c617965642063726564656e7469616c00040500000000004d047f0000016b009f5b6b009f5b000003e8000003e8000003e8ffffffff0000000568656c6c6f"
	decodeExpired     = "00606d4b040500000000410f13457870697265642063726564656e7469616c000405000000000001047f0000016b00a0c26b00a0c40000000000000000ffffffffffffffff000000036f6c64"
	decodeRestricted  = "00606d4b04050000000056122f556e617574686f72697a65642063726564656e7469616c20666f7220636c69656e74205549443d30204749443d30000000000000000000000000000000000000ffffffffffffffffffffffffffffffff00000000"
	decodeOtherKey    = "00606d4b0405000000003a0e13496e76616c69642063726564656e7469616c000000000000000000000000000000000000ffffffffffffffffffffffffffffffff00000000"
	encodeBadCipher   = "00606d4b0403000000001d0a17496e76616c69642063697068657220747970652039390000000000"
	encodeHelloAnswer = "00606d4b040300000000960000000000904d554e47453a417751464141434d3763462b50334e306a3759446f57793169662b585072773444544d4f67544870374c6c42684f54307043687458586a304873636b7838327874667a72446466724b73482f68426b584b2b5a37323238644b7144377a6774364f4f39666e6e45446c4f44414e7058365643332f616351637a68346d577a3268704f4c772f6e383d3a00"
)

func unhex(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// body checks the header of a response and returns what follows it.
func body(t testing.TB, frame string, kind byte) []byte {
	b, err := readMungeMessage(strings.NewReader(string(unhex(t, frame))), kind)
	require.NoError(t, err)
	return b
}

func TestMungeRequests(t *testing.T) {
	fields := appendEncodeBody(nil, []byte("hello"), 1000)
	got := append(appendMungeHeader(nil, mungeEncodeRequest, 0, len(fields)), fields...)
	want := unhex(t, encodeHello)
	want[mungeHeaderSize+7] = 0 // the capture asks for a lifetime of 77 s
	assert.Equal(t, want, got)

	fields = appendDecodeBody(nil, "MUNGE:x:")
	got = append(appendMungeHeader(nil, mungeDecodeRequest, 3, len(fields)), fields...)
	assert.Equal(t, "\x00\x60\x6d\x4b\x04\x04\x03\x00\x00\x00\x0d"+"\x00\x00\x00\x09MUNGE:x:\x00", string(got))
}

func TestParseEncoded(t *testing.T) {
	credential, err := parseEncoded(body(t, encodeHelloAnswer, 3))
	require.NoError(t, err)
	assert.Len(t, credential, 143)
	assert.True(t, strings.HasPrefix(credential, "MUNGE:") && strings.HasSuffix(credential, ":"))

	_, err = parseEncoded(body(t, encodeBadCipher, 3))
	var refused *MungeError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, MungeCode(10), refused.Code)
	assert.EqualError(t, err, "munged refuses: Invalid cipher type 99 (error 10)")
}

func TestParseDecoded(t *testing.T) {
	c, err := parseDecoded(body(t, decodeHello, 5))
	require.NoError(t, err)
	assert.Equal(t, "hello", string(c.Payload))
	assert.Equal(t, []uint32{1000, 1000, 1000, AnyUID}, []uint32{c.UID, c.GID, c.AuthUID, c.AuthGID})
	assert.Equal(t, "127.0.0.1", c.Origin.String())
	assert.Equal(t, 77*time.Second, c.TTL)
	assert.Equal(t, int64(0x6b009f5b), c.Encoded.Unix())

	c, err = parseDecoded(body(t, decodeRealm, 5))
	require.NoError(t, err)
	assert.Empty(t, c.Payload)
	assert.Equal(t, 300*time.Second, c.TTL)
}

func TestDecodeRefusals(t *testing.T) {
	for _, test := range []struct {
		frame   string
		code    MungeCode
		message string
	}{
		{decodeReplayed, MungeReplayed, "munged refuses: Replayed credential (error 17)"},
		{decodeExpired, MungeExpired, "munged refuses: Expired credential (error 15); the clocks of the two nodes say that it is 2s old, and 1s either way is allowed"},
		{decodeRestricted, MungeUnauthorized, "munged refuses: Unauthorized credential for client UID=0 GID=0 (error 18); the processes run as different users"},
		{decodeOtherKey, MungeInvalid, "munged refuses: Invalid credential (error 14); the nodes have different munge keys"},
	} {
		c, err := parseDecoded(body(t, test.frame, 5))
		var refused *MungeError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, test.code, refused.Code)
		assert.EqualError(t, err, test.message)
		assert.Zero(t, c, "nothing of a refused credential is to be trusted")
	}
}

func TestMalformedResponses(t *testing.T) {
	good := body(t, decodeHello, 5)
	for n := range len(good) {
		_, err := parseDecoded(good[:n])
		require.Error(t, err, "cut to %d bytes", n)
	}
	_, err := parseDecoded(append(good, 0))
	require.ErrorContains(t, err, "1 bytes after the last field")

	long := append([]byte{}, good...)
	long[2+4+4] = 16 // addr_len
	_, err = parseDecoded(long)
	require.ErrorContains(t, err, "address of 16 bytes")

	for _, test := range []struct{ header, message string }{
		{"00606d4c040500 00000000", "not munged"},
		{"00606d4b050500 00000000", "protocol version 5, not 4"},
		{"00606d4b040600 00000000", "message type 6, not 5"},
		{"00606d4b040500 ffffffff", "response of 4294967295 bytes"},
	} {
		_, err := readMungeMessage(strings.NewReader(string(unhex(t, test.header))), 5)
		require.ErrorContains(t, err, test.message)
	}
}

func FuzzMungeResponses(f *testing.F) {
	for _, frame := range []string{decodeHello, decodeRealm, decodeReplayed, decodeRestricted} {
		f.Add(unhex(f, frame))
	}
	f.Add(unhex(f, encodeBadCipher))
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, kind := range []byte{3, 5} {
			b, err := readMungeMessage(strings.NewReader(string(frame)), kind)
			if err != nil {
				continue
			}
			if kind == 3 {
				parseEncoded(b)
			} else if c, err := parseDecoded(b); err != nil && (c.UID != 0 || c.Payload != nil) {
				t.Fatal("an identity next to an error")
			}
		}
	})
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	c := Credential{Payload: []byte("hush"), UID: 7}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, c), "hush")
		assert.NotContains(t, fmt.Sprintf(verb, c), "104")
	}
}

func TestRealMunged(t *testing.T) {
	key := mungetest.Key()
	here, there := NewMunge(mungetest.Start(t, key).Socket), NewMunge(mungetest.Start(t, key).Socket)
	stranger := NewMunge(mungetest.Start(t, nil).Socket)
	ctx := t.Context()

	uid, err := here.Self(ctx)
	require.NoError(t, err)
	assert.Equal(t, uint32(os.Geteuid()), uid)

	credential, err := here.Encode(ctx, []byte("hello"), uid)
	require.NoError(t, err)
	c, err := there.Decode(ctx, credential)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(c.Payload))
	assert.Equal(t, []uint32{uid, uid, AnyUID}, []uint32{c.UID, c.AuthUID, c.AuthGID})
	assert.WithinDuration(t, time.Now(), c.Encoded, time.Minute)

	refused := func(m *Munge, credential string) MungeCode {
		_, err := m.Decode(ctx, credential)
		var answer *MungeError
		require.ErrorAs(t, err, &answer)
		require.NotErrorIs(t, err, ErrMungeUnavailable)
		return answer.Code
	}
	assert.Equal(t, MungeReplayed, refused(there, credential))
	_, err = here.Decode(ctx, credential)
	require.NoError(t, err, "each node counts for itself")
	assert.Equal(t, MungeInvalid, refused(stranger, credential))
	restricted, err := here.Encode(ctx, nil, uid+1)
	require.NoError(t, err)
	assert.Equal(t, MungeUnauthorized, refused(here, restricted))
	assert.Equal(t, MungeCode(8), refused(here, "garbage"))

	payload := make([]byte, maxMungePayload)
	credential, err = here.Encode(ctx, payload, AnyUID)
	require.NoError(t, err)
	require.Less(t, len(credential), maxCredential)
	c, err = here.Decode(ctx, credential)
	require.NoError(t, err)
	assert.Equal(t, payload, c.Payload)
}

func TestManyAtOnce(t *testing.T) {
	m := NewMunge(mungetest.Start(t, nil).Socket)
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			credential, err := m.Encode(t.Context(), []byte{byte(i)}, AnyUID)
			if assert.NoError(t, err) {
				_, err = m.Decode(t.Context(), credential)
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
}

func TestMungedGone(t *testing.T) {
	d := mungetest.Start(t, nil)
	d.Stop()
	m := NewMunge(d.Socket)
	ctx, cancel := context.WithCancelCause(t.Context())
	refusals := 0
	m.dial = func(ctx context.Context, path string) (net.Conn, error) {
		if refusals++; refusals == 3 {
			cancel(errors.New("enough"))
		}
		return dialUnix(ctx, path)
	}
	_, err := m.Encode(ctx, nil, AnyUID)
	require.EqualError(t, err, "slurm: munge encode: enough")
	assert.Equal(t, 3, refusals)
}

func TestNoMunged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, test := range []struct{ path, message string }{
		{filepath.Join(dir, "none"), "munged does not run on this node"},
		{filepath.Join(file, "below"), "not a directory"},
		{file, "is not a socket"},
		{dir, "is not a socket"},
	} {
		_, err := NewMunge(test.path).Encode(t.Context(), nil, AnyUID)
		require.ErrorIs(t, err, ErrMungeUnavailable)
		require.ErrorIs(t, err, ErrMungeAbsent)
		require.ErrorContains(t, err, test.message)
	}
}

func TestLimitsBeforeAsking(t *testing.T) {
	m := NewMunge("/nonexistent")
	_, err := m.Encode(t.Context(), make([]byte, maxMungePayload+1), AnyUID)
	require.EqualError(t, err, "slurm: munge encode: payload of 4097 bytes, at most 4096 are allowed")
	for _, n := range []int{0, maxCredential + 1} {
		_, err = m.Decode(t.Context(), strings.Repeat("x", n))
		require.ErrorContains(t, err, "1 to 16384 are allowed")
	}
}

// fakeMunge is a client whose connections lead to a scripted munged. The nth
// connection, counted from 0, is served by serve(n, conn).
func fakeMunge(t *testing.T, serve func(n int, conn net.Conn)) *Munge {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s")) // only so that a socket is there
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	m := NewMunge(l.Addr().String())
	var count atomic.Int64
	m.dial = func(context.Context, string) (net.Conn, error) {
		client, server := net.Pipe()
		n := int(count.Add(1)) - 1
		go func() {
			defer server.Close()
			serve(n, server)
		}()
		return client, nil
	}
	return m
}

// readRequest returns the retry byte of a request.
func readRequest(conn net.Conn) byte {
	var header [mungeHeaderSize]byte
	io.ReadFull(conn, header[:])
	io.CopyN(io.Discard, conn, int64(header[10])|int64(header[9])<<8)
	return header[6]
}

func TestLostAnswersAreAskedAgain(t *testing.T) {
	answer := unhex(t, decodeHello)
	for name, spoil := range map[string]func(net.Conn){
		"closed":         func(net.Conn) {},
		"half an answer": func(c net.Conn) { c.Write(answer[:20]) },
		"silence":        func(c net.Conn) { io.Copy(io.Discard, c) },
		"one byte":       func(c net.Conn) { c.Write(answer[:1]); io.Copy(io.Discard, c) },
		"not munged":     func(c net.Conn) { c.Write([]byte("HTTP/1.0 400 Bad Request\r\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				retries := make(chan byte, mungeAttempts)
				m := fakeMunge(t, func(n int, conn net.Conn) {
					retries <- readRequest(conn)
					if n == 3 {
						conn.Write(answer)
					} else {
						spoil(conn)
					}
				})
				c, err := m.Decode(t.Context(), "MUNGE:x:")
				require.NoError(t, err)
				assert.Equal(t, "hello", string(c.Payload))
				synctest.Wait()
				close(retries)
				for want := range byte(4) {
					assert.Equal(t, want, <-retries)
				}
				assert.Empty(t, retries)
			})
		})
	}
}

func TestMungedThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		m := fakeMunge(t, func(n int, conn net.Conn) { attempts.Add(1); readRequest(conn); io.Copy(io.Discard, conn) })
		start := time.Now()
		_, err := m.Decode(t.Context(), "MUNGE:x:")
		require.ErrorIs(t, err, ErrMungeUnavailable)
		require.NotErrorIs(t, err, ErrMungeAbsent, "this is no reason to go on without munge")
		require.ErrorContains(t, err, "did not answer 5 times")
		synctest.Wait()
		assert.Equal(t, int64(mungeAttempts), attempts.Load())
		assert.Equal(t, 10100*time.Millisecond, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = m.Decode(ctx, "MUNGE:x:")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestRefusalsAreFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		m := fakeMunge(t, func(n int, conn net.Conn) {
			attempts.Add(1)
			readRequest(conn)
			conn.Write(unhex(t, decodeOtherKey))
		})
		_, err := m.Decode(t.Context(), "MUNGE:x:")
		var refused *MungeError
		require.ErrorAs(t, err, &refused)
		synctest.Wait()
		assert.Equal(t, int64(1), attempts.Load())
	})
}

func TestFullQueueAndRestart(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EAGAIN, syscall.ECONNREFUSED} {
		t.Run(errno.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := fakeMunge(t, func(n int, conn net.Conn) { readRequest(conn); conn.Write(unhex(t, encodeHelloAnswer)) })
				connect, refusals := m.dial, 0
				m.dial = func(ctx context.Context, path string) (net.Conn, error) {
					if refusals++; refusals < mungeConnectAttempts {
						return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
					}
					return connect(ctx, path)
				}
				_, err := m.Encode(t.Context(), nil, AnyUID)
				require.NoError(t, err)

				m.dial = func(context.Context, string) (net.Conn, error) { return nil, errno }
				start := time.Now()
				_, err = m.Encode(t.Context(), nil, AnyUID)
				require.ErrorIs(t, err, errno)
				require.ErrorIs(t, err, ErrMungeUnavailable)
				require.NotErrorIs(t, err, ErrMungeAbsent)
				assert.Equal(t, 2250*time.Millisecond, time.Since(start))
			})
		})
	}
}

func TestSocketWithoutPermission(t *testing.T) {
	m := fakeMunge(t, nil)
	m.dial = func(context.Context, string) (net.Conn, error) {
		return nil, os.NewSyscallError("connect", syscall.EACCES)
	}
	_, err := m.Encode(t.Context(), nil, AnyUID)
	require.ErrorIs(t, err, ErrMungeAbsent)
	require.ErrorContains(t, err, "permission denied")
}
