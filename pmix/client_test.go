package pmix

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// pipe opens a client whose server is serve, in memory.
func pipe(ctx context.Context, t *testing.T, e environment, serve func(net.Conn)) (*Client, error) {
	ours, theirs := net.Pipe()
	var server sync.WaitGroup
	server.Go(func() { serve(theirs) })
	t.Cleanup(func() { theirs.Close(); server.Wait() })
	return open(ctx, ours, e, make([]byte, 8))
}

func rankOf(r uint32, c codec) environment {
	module := "v41"
	if c.fixed {
		module = "v3"
	}
	return environment{namespace: "ns", rank: r, host: "c1", version: "4.2.2", module: module, codec: c, security: "native"}
}

// A whole job against the scripted server, in every dialect.
func TestJob(t *testing.T) {
	for _, c := range codecs {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			defer goleak.VerifyNone(t)
			const size = 5
			server := newFakeServer(size)
			var ranks sync.WaitGroup
			for r := range size {
				ranks.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					ours, theirs := net.Pipe()
					ranks.Go(func() { assert.NoError(t, server.serve(theirs)) })
					client, err := open(ctx, ours, rankOf(uint32(r), c), make([]byte, 8))
					if !assert.NoError(t, err) {
						return
					}
					assert.Equal(t, r, client.Rank())
					assert.Equal(t, size, client.Size())
					assert.Equal(t, r, client.LocalRank())
					assert.Equal(t, size, client.LocalSize())
					assert.Equal(t, "ns", client.Namespace())
					assert.Equal(t, "c1", client.Host())
					if r == 0 {
						assert.NoError(t, client.Put("ame", "first"))
						assert.NoError(t, client.Put("ame", "host0:port:key"))
						assert.NoError(t, client.Put("large", strings.Repeat("x", 1<<20)))
						assert.NoError(t, client.Commit(ctx))
					}
					assert.NoError(t, client.Fence(ctx, true))
					got, err := client.Get(ctx, 0, "ame")
					assert.NoError(t, err)
					assert.Equal(t, "host0:port:key", got)
					large, err := client.Get(ctx, 0, "large")
					assert.NoError(t, err)
					assert.Len(t, large, 1<<20)
					assert.NoError(t, client.Finalize(ctx))
					assert.NoError(t, client.Finalize(ctx), "a second time")
					assert.NoError(t, client.Close())
					assert.ErrorIs(t, client.Fence(ctx, false), ErrClosed)
				})
			}
			ranks.Wait()
			assert.Len(t, server.done, size)
		})
	}
}

// A get that comes before the commit is answered after it.
func TestGetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer(2)
		serve := func(c net.Conn) { server.serve(c) }
		first, err := pipe(t.Context(), t, rankOf(0, codec{}), serve)
		require.NoError(t, err)
		defer first.Close()
		second, err := pipe(t.Context(), t, rankOf(1, codec{}), serve)
		require.NoError(t, err)
		defer second.Close()
		_, err = second.Peek(t.Context(), 0, "late")
		assert.ErrorIs(t, err, StatusNotFound)
		got := make(chan string)
		go func() {
			v, err := second.Get(t.Context(), 0, "late")
			assert.NoError(t, err)
			got <- v
		}()
		synctest.Wait()
		require.NoError(t, first.Put("late", "now"))
		require.NoError(t, first.Commit(t.Context()))
		assert.Equal(t, "now", <-got)
		now, err := second.Peek(t.Context(), 0, "late")
		require.NoError(t, err)
		assert.Equal(t, "now", now)

		_, err = second.Get(t.Context(), 2, "late")
		assert.ErrorContains(t, err, "rank 2 of a job of size 2")
	})
}

// A cancelled call leaves the client usable, and its answer is dropped when
// it comes after all.
func TestCancelledCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer(2)
		serve := func(c net.Conn) { server.serve(c) }
		client, err := pipe(t.Context(), t, rankOf(0, codec{}), serve)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = client.Fence(ctx, true)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "pmix: fence: rank 0 on c1: context deadline exceeded")

		other, err := pipe(t.Context(), t, rankOf(1, codec{}), serve)
		require.NoError(t, err)
		require.NoError(t, other.Fence(t.Context(), true)) // answers both
		require.NoError(t, other.Finalize(t.Context()))
		require.NoError(t, client.Put("k", "v"))
		require.NoError(t, client.Commit(t.Context()))
		got, err := client.Get(t.Context(), 0, "k")
		require.NoError(t, err)
		assert.Equal(t, "v", got)
		require.NoError(t, client.Finalize(t.Context()))
	})
}

// Abort goes out while another goroutine waits in a fence.
func TestAbortDuringFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer(2)
		client, err := pipe(t.Context(), t, rankOf(0, codec{}), func(c net.Conn) { server.serve(c) })
		require.NoError(t, err)
		failed := make(chan error)
		go func() { failed <- client.Fence(t.Context(), true) }()
		synctest.Wait()
		assert.NoError(t, client.Abort(t.Context(), 3, "goodbye"))
		assert.Error(t, client.Abort(t.Context(), 0, "zero is success to Open MPI"))
		assert.Error(t, client.Abort(t.Context(), 256, ""))
		client.Close()
		assert.ErrorIs(t, <-failed, ErrClosed)
	})
}

func TestPutRefuses(t *testing.T) {
	var c Client
	for _, key := range []string{"", "pmix.job.size", "pmixfoo", "a\x00b", strings.Repeat("k", 512)} {
		assert.Error(t, c.Put(key, "v"), "%q", key)
	}
	assert.Error(t, c.Put("k", "a\x00b"))
	assert.Error(t, c.Put("k", strings.Repeat("x", maxPayload)))
	assert.NoError(t, c.Put(strings.Repeat("k", 511), ""))
}

// welcome reads the handshake and accepts it.
func welcome(conn net.Conn) codec {
	h, err := readHello(conn)
	if err != nil {
		panic(err)
	}
	conn.Write(make([]byte, welcomeSize))
	return h.codec
}

// Servers that break the protocol while a client connects. The client must
// return an error before its deadline, send no second handshake, leave no
// goroutine behind, and hold no more memory than it was sent.
func TestBadServer(t *testing.T) {
	answer := func(make func(c codec, h header, q question) []byte) func(net.Conn) {
		return func(conn net.Conn) {
			c := welcome(conn)
			for {
				h, payload, err := readFrame(conn)
				if err != nil {
					return
				}
				q, err := parseQuestion(c, payload)
				if err != nil {
					panic(err)
				}
				conn.Write(make(c, h, q))
			}
		}
	}
	frame := func(tag uint32, payload []byte) []byte {
		return append(header{tag: tag, length: uint32(len(payload))}.append(nil), payload...)
	}
	announce := func(length uint32) func(codec, header, question) []byte {
		return func(_ codec, h header, _ question) []byte {
			return append(header{tag: h.tag, length: length}.append(nil), 2, 0)
		}
	}
	tests := []struct {
		name    string
		serve   func(net.Conn)
		timeout bool
		says    string
	}{
		{name: "closes at once", serve: func(c net.Conn) { c.Close() }, says: "refused the handshake (security native, format v41, buffer type 1)"},
		{name: "closes after the handshake", serve: func(c net.Conn) { readHello(c); c.Close() }, says: "refused the handshake"},
		{name: "refuses with a status", serve: func(c net.Conn) {
			readHello(c)
			c.Write(binary.BigEndian.AppendUint32(nil, 0xfffffff4))
			c.Write(make([]byte, 4))
		}, says: "PMIX_ERR_INVALID_CRED (-12)"},
		{name: "does not read", serve: func(c net.Conn) { select {} }, timeout: true},
		{name: "never answers the handshake", serve: func(c net.Conn) { io.Copy(io.Discard, c) }, timeout: true, says: "does not answer the handshake"},
		{name: "half a welcome", serve: func(c net.Conn) { readHello(c); c.Write(make([]byte, 5)); io.Copy(io.Discard, c) }, timeout: true},
		{name: "half a welcome and closes", serve: func(c net.Conn) { readHello(c); c.Write(make([]byte, 5)); c.Close() }, says: "refused"},
		{name: "never answers a question", serve: func(c net.Conn) { welcome(c); io.Copy(io.Discard, c) }, timeout: true, says: "pmix.job.size"},
		{name: "one byte then silence", serve: func(c net.Conn) { welcome(c); c.Write([]byte{0}); io.Copy(io.Discard, c) }, timeout: true},
		{name: "cuts a header", serve: func(c net.Conn) { welcome(c); c.Write(make([]byte, 7)); c.Close() }},
		{name: "cuts a payload", serve: answer(func(c codec, h header, q question) []byte {
			return frame(h.tag, c.packStatus(0))[:headerSize+1]
		}), timeout: true},
		{name: "wrong tags", serve: answer(func(c codec, h header, q question) []byte {
			return frame(h.tag+50, c.packStatus(0))
		}), timeout: true},
		{name: "announces 4 GiB", serve: answer(announce(0xffffffff)), says: "4294967295 bytes"},
		{name: "announces 2 GiB", serve: answer(announce(0x80000000)), says: "2147483648 bytes"},
		{name: "announces the limit", serve: answer(announce(maxPayload)), timeout: true},
		{name: "announces the limit to nobody", serve: answer(func(c codec, h header, q question) []byte {
			return header{tag: 0, length: maxPayload}.append(nil)
		}), timeout: true},
		{name: "empty answers", serve: answer(func(c codec, h header, q question) []byte { return frame(h.tag, nil) }), says: "PMIx 4.2.2) is not in format v41"},
		{name: "speaks v3", serve: answer(func(c codec, h header, q question) []byte {
			c.fixed = true
			return frame(h.tag, c.packFound("ns", wildcard, newFakeServer(2).job(q.key)))
		}), says: "is not in format v41"},
		{name: "describes", serve: answer(func(c codec, h header, q question) []byte {
			c.described = true
			return frame(h.tag, c.packFound("ns", wildcard, newFakeServer(2).job(q.key)))
		}), says: "is not in format v41"},
		{name: "knows no size", serve: answer(func(c codec, h header, q question) []byte { return frame(h.tag, c.packStatus(0)) }), says: "pmix.job.size: PMIX_ERR_NOT_FOUND (-46)"},
		{name: "refuses to tell", serve: answer(func(c codec, h header, q question) []byte { return frame(h.tag, c.packStatus(-1)) }), says: "PMIX_ERR_NOT_FOUND (-46)"},
		{name: "job too small", serve: answer(func(c codec, h header, q question) []byte {
			return frame(h.tag, c.packFound("ns", wildcard, newFakeServer(1).job(q.key)))
		}), says: "rank 1 in a job of size 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				ours, theirs := net.Pipe()
				hellos := make(chan struct{}, 2)
				go func() {
					// select{} would never end within the bubble.
					if tt.name == "does not read" {
						<-ctx.Done()
					} else {
						tt.serve(theirs)
					}
					theirs.Close()
					hellos <- struct{}{}
				}()
				start := time.Now()
				client, err := open(ctx, ours, rankOf(1, codec{}), make([]byte, 8))
				require.Error(t, err)
				assert.Nil(t, client)
				assert.Equal(t, tt.timeout, errors.Is(err, context.DeadlineExceeded), "%v", err)
				assert.LessOrEqual(t, time.Since(start), 10*time.Second)
				assert.ErrorContains(t, err, tt.says)
				<-hellos
			})
		})
	}
}

// A server that promises the largest message and sends none of it costs no
// memory worth speaking of.
func TestMemoryIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := pipe(ctx, t, rankOf(0, codec{}), func(conn net.Conn) {
		welcome(conn)
		h, _, err := readFrame(conn)
		if err != nil {
			return
		}
		conn.Write(append(header{tag: h.tag, length: maxPayload}.append(nil), make([]byte, 1000)...))
		cancel()
	})
	require.ErrorIs(t, err, context.Canceled)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxPayload/16))
}

// Servers that go wrong later: every pending call ends, with the cause.
func TestServerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer(2)
		ours, theirs := net.Pipe()
		go server.serve(theirs)
		client, err := open(t.Context(), ours, rankOf(0, codec{}), make([]byte, 8))
		require.NoError(t, err)
		failed := make(chan error)
		go func() { failed <- client.Fence(t.Context(), true) }()
		go func() { _, err := client.Get(t.Context(), 1, "k"); failed <- err }()
		synctest.Wait()
		theirs.Close()
		for range 2 {
			err := <-failed
			assert.ErrorIs(t, err, io.EOF)
			assert.ErrorContains(t, err, "connection to the server")
		}
		var e *Error
		require.ErrorAs(t, client.Commit(t.Context()), &e)
		assert.Equal(t, "commit", e.Op)
		assert.Equal(t, "c1", e.Host)
		assert.ErrorIs(t, client.Finalize(t.Context()), io.EOF, "the server was gone before")
		client.Close()
	})
}

// PMIx 3.2.5 and 4.0.0 close the socket instead of answering finalize.
func TestFinalizeAnsweredByEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		server := newFakeServer(1)
		server.instead = func(q question, _ func([]byte)) bool {
			if q.command == commandFinalize {
				theirs.Close()
			}
			return q.command == commandFinalize
		}
		go server.serve(theirs)
		client, err := open(t.Context(), ours, rankOf(0, codec{}), make([]byte, 8))
		require.NoError(t, err)
		assert.NoError(t, client.Finalize(t.Context()))
	})
}

// A server that hangs does not hold a rank at its end for ever.
func TestFinalizeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		server := newFakeServer(1)
		server.instead = func(q question, _ func([]byte)) bool { return q.command != commandGet }
		go server.serve(theirs)
		client, err := open(context.Background(), ours, rankOf(0, codec{}), make([]byte, 8))
		require.NoError(t, err)
		assert.ErrorIs(t, client.Finalize(context.Background()), context.DeadlineExceeded)
		assert.ErrorIs(t, client.Commit(context.Background()), ErrClosed)
	})
}

// Frames of the server's own and answers nobody waits for are dropped, and
// answers come in any order.
func TestUnsolicitedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		server := newFakeServer(3)
		go func() {
			c := welcome(theirs)
			var held []func()
			for range len(jobKeys) {
				h, payload, _ := readFrame(theirs)
				q, _ := parseQuestion(c, payload)
				held = append(held, func() {
					writeFrame(theirs, 0, []byte("an event"))
					server.answer(hello{codec: c}, q, func(b []byte) { writeFrame(theirs, h.tag, b) })
					writeFrame(theirs, h.tag, []byte("the same tag again"))
				})
			}
			for i := range held {
				held[len(held)-1-i]()
			}
		}()
		client, err := open(t.Context(), ours, rankOf(1, codec{}), make([]byte, 8))
		require.NoError(t, err)
		assert.Equal(t, 3, client.Size())
		assert.Equal(t, 1, client.LocalRank())
		client.Close()
	})
}

// Statuses that a get and a fence come back with.
func TestStatusErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		server := newFakeServer(2)
		answers := map[byte][]byte{
			commandFence: codec{}.packStatus(StatusPartialSuccess),
			commandGet:   codec{}.packFound("ns", 1, texts(map[string]string{"other": "v"})),
		}
		server.instead = func(q question, reply func([]byte)) bool {
			b, ok := answers[q.command]
			done := ok && q.rank != wildcard || q.command == commandFence
			if done {
				reply(b)
			}
			return done
		}
		go server.serve(theirs)
		client, err := open(t.Context(), ours, rankOf(0, codec{}), make([]byte, 8))
		require.NoError(t, err)
		defer client.Close()
		err = client.Fence(t.Context(), true)
		assert.ErrorIs(t, err, StatusPartialSuccess)
		assert.EqualError(t, err, "pmix: fence: rank 0 on c1: PMIX_ERR_PARTIAL_SUCCESS (-52): a rank of this node is gone; its own output says why")
		_, err = client.Get(t.Context(), 1, "k")
		assert.ErrorIs(t, err, StatusNotFound)
		assert.EqualError(t, err, `pmix: get: rank 0 on c1: "k" of rank 1: PMIX_ERR_NOT_FOUND (-46): the server does not know it`)
		assert.EqualError(t, Status(-999), "PMIx status (-999)")
	})
}
