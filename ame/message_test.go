package ame

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func text(s string) Payload { return Payload{Body: []byte(s)} }

// transports are what most tests run over.
var transports = map[string]transport{"memory": overMemory, "tcp": overTCP, "pairs": overPairs}

func TestMessages(t *testing.T) {
	const size, n = 4, 200
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, size)
			noErrors(t, each(comms, func(c *Comm) error { // each to each, itself included
				for i := range n {
					for dest := range size {
						p := Payload{Format: uint16(i), Body: fmt.Appendf(nil, "%d-%d-%d", c.Rank(), dest, i)}
						if err := c.Send(t.Context(), dest, i%3, p); err != nil {
							return err
						}
					}
				}
				for source := range size {
					for i := range n {
						m, err := c.Recv(t.Context(), source, AnyTag)
						if err != nil {
							return err
						}
						assert.Equal(t, fmt.Sprintf("%d-%d-%d", source, c.Rank(), i), string(m.Body), "in order")
						assert.Equal(t, Message{Payload{uint16(i), m.Body}, source, i % 3}, m)
					}
				}
				return nil
			}))
		})
	}
}

func TestTryRecv(t *testing.T) {
	comms := connectAll(t, overMemory, 2)
	c := comms[0]
	_, ok, err := c.TryRecv(AnySource, AnyTag)
	require.NoError(t, err)
	assert.False(t, ok, "nothing has come")
	require.NoError(t, c.Send(t.Context(), 0, 5, text("own")))
	_, ok, _ = c.TryRecv(1, 5)
	assert.False(t, ok, "not from rank 1")
	m, ok, err := c.TryRecv(AnySource, 5)
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, Message{text("own"), 0, 5}, m)
	_, ok, _ = c.TryRecv(AnySource, 5)
	assert.False(t, ok, "it is taken")
	_, _, err = c.TryRecv(2, 5)
	assert.ErrorContains(t, err, "no rank 2")
}

func TestMatching(t *testing.T) {
	comms := connectAll(t, overMemory, 3)
	ctx := t.Context()
	for i, tag := range []int{5, 6, 5, MaxTag, 0} {
		require.NoError(t, comms[1].Send(ctx, 0, tag, text(fmt.Sprint(i))))
	}
	require.NoError(t, comms[1].Send(ctx, 2, 1, Payload{}))
	_, err := comms[2].Recv(ctx, 1, 1) // by way of rank 0, so all is there
	require.NoError(t, err)
	for _, c := range []struct {
		source, tag int
		want        string
	}{{1, 6, "1"}, {AnySource, MaxTag, "3"}, {AnySource, 5, "0"}, {1, AnyTag, "2"}, {AnySource, AnyTag, "4"}} {
		m, err := comms[0].Recv(ctx, c.source, c.tag)
		require.NoError(t, err)
		assert.Equal(t, c.want, string(m.Body))
	}
}

func TestBadArguments(t *testing.T) {
	comms := connectAll(t, overMemory, 2)
	c, ctx := comms[0], t.Context()
	for _, rank := range []int{-2, 2, 1 << 40} {
		assert.ErrorContains(t, c.Send(ctx, rank, 0, Payload{}), fmt.Sprintf("no rank %d in a communicator of 2", rank))
		_, err := c.Recv(ctx, rank, 0)
		assert.ErrorContains(t, err, fmt.Sprintf("no rank %d in a communicator of 2", rank))
	}
	assert.Error(t, c.Send(ctx, AnySource, 0, Payload{}))
	for _, tag := range []int{-2, MaxTag + 1} {
		assert.ErrorContains(t, c.Send(ctx, 1, tag, Payload{}), "is not in 0..2147483647")
		_, err := c.Recv(ctx, 1, tag)
		assert.ErrorContains(t, err, "is not in 0..2147483647")
	}
	assert.Error(t, c.Send(ctx, 1, AnyTag, Payload{}))
	noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(ctx) }))
}

func TestBodies(t *testing.T) {
	comms := connectAll(t, overTCP, 3)
	for _, length := range []int{0, 1, smallBody - 1, smallBody, smallBody + 1, readBuffer - headerSize, readBuffer, parallelBody, 100 << 20} {
		body := make([]byte, length)
		for i := 0; i+8 <= length; i += 4096 {
			binary.BigEndian.PutUint64(body[i:], uint64(i))
		}
		noErrors(t, each(comms, func(c *Comm) error {
			var sent Payload
			if c.Rank() == 0 {
				sent.Body = body
			}
			p, err := c.Bcast(t.Context(), Call{}, sent)
			assert.True(t, bytes.Equal(body, p.Body), "bcast of %d bytes", length)
			return err
		}))
		if length == 100<<20 {
			body = body[:50<<20] // twice through rank 0
		}
		noErrors(t, each(comms, func(c *Comm) error {
			if c.Rank() == 1 {
				return c.Send(t.Context(), 2, 0, Payload{Body: body})
			}
			if c.Rank() == 2 {
				m, err := c.Recv(t.Context(), 1, 0)
				assert.True(t, bytes.Equal(body, m.Body), "worker to worker, %d bytes", length)
				return err
			}
			return nil
		}))
	}
}

func TestSizeOne(t *testing.T) {
	c, err := Connect(t.Context(), Config{Size: 1})
	require.NoError(t, err)
	require.NoError(t, c.Send(t.Context(), 0, 3, text("self")))
	m, err := c.Recv(t.Context(), AnySource, AnyTag)
	require.NoError(t, err)
	assert.Equal(t, "self", string(m.Body))
	require.NoError(t, c.Barrier(t.Context()))
	p, err := c.Bcast(t.Context(), Call{}, text("b"))
	require.NoError(t, err)
	assert.Equal(t, "b", string(p.Body))
	all, err := c.Gather(t.Context(), Call{}, text("g"))
	require.NoError(t, err)
	assert.Equal(t, []Payload{text("g")}, all)
	d, err := c.Dup(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Barrier(t.Context()))
	require.NoError(t, d.Close())
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.Barrier(t.Context()), ErrClosed)
}

// A body may be changed once Send has returned, to this rank itself too.
func TestSendCopies(t *testing.T) {
	comms := connectAll(t, overTCP, 2)
	for dest := range 2 {
		body := []byte("before")
		require.NoError(t, comms[0].Send(t.Context(), dest, 0, Payload{Body: body}))
		copy(body, "after!")
		m, err := comms[dest].Recv(t.Context(), 0, 0)
		require.NoError(t, err)
		assert.Equal(t, "before", string(m.Body))
	}
}

// A cancelled Recv takes nothing: the message is there for the next one.
func TestCancelledRecvTakesNothing(t *testing.T) {
	for _, size := range []int{2, 3} {
		synctest.Test(t, func(t *testing.T) {
			comms := connectAll(t, overMemory, size)
			for _, c := range comms[:2] {
				for _, source := range []int{AnySource, 1 - c.Rank(), c.Rank()} {
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					_, err := c.Recv(ctx, source, 1)
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					cancel()
				}
				require.NoError(t, comms[1-c.Rank()].Send(t.Context(), c.Rank(), 1, text("later")))
				m, err := c.Recv(t.Context(), AnySource, 1)
				require.NoError(t, err)
				assert.Equal(t, "later", string(m.Body))
			}
		})
	}
}

// No message lies unread for more than a moment, whatever other calls of the
// same rank wait for.
func TestNobodyWaitsForAnotherCall(t *testing.T) {
	for _, size := range []int{2, 3} {
		synctest.Test(t, func(t *testing.T) {
			comms := connectAll(t, overMemory, size)
			for _, pair := range [][2]*Comm{{comms[0], comms[1]}, {comms[1], comms[0]}} {
				here, there := pair[0], pair[1]
				noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) })) // links are lent now
				var wg sync.WaitGroup
				for tag, source := range []int{AnySource, there.Rank(), there.Rank(), here.Rank()} {
					wg.Go(func() {
						m, err := here.Recv(t.Context(), source, tag)
						assert.NoError(t, err)
						begin := time.UnixMicro(int64(binary.BigEndian.Uint64(m.Body)))
						assert.Less(t, time.Since(begin), 2*lendCheck+time.Millisecond, "tag %d", tag)
					})
				}
				for tag, from := range []*Comm{there, there, there, here} {
					time.Sleep(time.Duration(tag) * 7 * time.Millisecond)
					now := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMicro()))
					require.NoError(t, from.Send(t.Context(), here.Rank(), tag, Payload{Body: now}))
				}
				wg.Wait()
			}
		})
	}
}

// Nor does it when a call for any rank follows one that was for a single rank.
func TestAnySourceAfterOneSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		for _, pair := range [][2]*Comm{{comms[0], comms[1]}, {comms[1], comms[0]}} {
			here, there := pair[0], pair[1]
			for _, source := range []int{there.Rank(), AnySource, there.Rank(), AnySource, AnySource} {
				var sent time.Time
				go func() {
					time.Sleep(time.Millisecond)
					sent = time.Now()
					assert.NoError(t, there.Send(t.Context(), here.Rank(), 1, text("m")))
				}()
				_, err := here.Recv(t.Context(), source, 1)
				require.NoError(t, err)
				assert.Zero(t, time.Since(sent), "from %d", source)
				synctest.Wait()
			}
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	const size, callers, n = 3, 5, 200
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, size)
			noErrors(t, each(comms, func(c *Comm) error {
				var wg sync.WaitGroup
				errs := make([]error, 2*callers)
				for caller := range callers {
					wg.Go(func() {
						for i := range n {
							p := Payload{Body: bytes.Repeat([]byte{byte(i)}, i*31)}
							errs[caller] = errors.Join(errs[caller], c.Send(t.Context(), (c.Rank()+1)%size, caller, p))
						}
					})
					wg.Go(func() {
						for i := range n {
							m, err := c.Recv(t.Context(), (c.Rank()+size-1)%size, caller)
							errs[callers+caller] = errors.Join(errs[callers+caller], err)
							assert.Equal(t, bytes.Repeat([]byte{byte(i)}, i*31), append([]byte{}, m.Body...))
						}
					})
				}
				wg.Wait()
				return errors.Join(errs...)
			}))
		})
	}
}

// Two communicators are used at the same time, with collectives on each.
func TestCommunicatorsInParallel(t *testing.T) {
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, 4)
			noErrors(t, each(comms, func(c *Comm) error {
				other, err := c.Dup(t.Context())
				if err != nil {
					return err
				}
				defer other.Close()
				use := func(c *Comm, base int) error {
					for i := range 100 {
						all, err := c.Gather(t.Context(), Call{}, text(fmt.Sprint(base+i, c.Rank())))
						if err != nil {
							return err
						}
						for rank, p := range all {
							assert.Equal(t, fmt.Sprint(base+i, rank), string(p.Body))
						}
						p, err := c.Bcast(t.Context(), Call{}, text(fmt.Sprint(base+i)))
						if err != nil {
							return err
						}
						assert.Equal(t, fmt.Sprint(base+i), string(p.Body))
						if err := c.Barrier(t.Context()); err != nil {
							return err
						}
					}
					return nil
				}
				second := make(chan error)
				go func() { second <- use(other, 1000) }()
				return errors.Join(use(c, 0), <-second)
			}))
		})
	}
}

// What comes on a communicator before this rank has learnt of it waits there,
// and what comes after its Close is dropped.
func TestDup(t *testing.T) {
	comms := connectAll(t, overMemory, 3)
	ctx := t.Context()
	dups := make([]*Comm, 3)
	var err error
	dups[0], err = comms[0].Dup(ctx)
	require.NoError(t, err)
	require.NoError(t, dups[0].Send(ctx, 1, 7, text("dup")))
	require.NoError(t, comms[0].Send(ctx, 1, 7, text("world")))
	m, err := comms[1].Recv(ctx, 0, 7)
	require.NoError(t, err)
	assert.Equal(t, "world", string(m.Body))
	for rank := 1; rank < 3; rank++ {
		dups[rank], err = comms[rank].Dup(ctx)
		require.NoError(t, err)
	}
	m, err = dups[1].Recv(ctx, AnySource, AnyTag)
	require.NoError(t, err)
	assert.Equal(t, "dup", string(m.Body))

	require.NoError(t, dups[1].Close())
	require.NoError(t, dups[1].Close())
	assert.ErrorIs(t, dups[1].Send(ctx, 0, 0, Payload{}), ErrClosed)
	_, err = dups[1].Recv(ctx, 0, 0)
	assert.ErrorIs(t, err, ErrClosed)
	assert.ErrorIs(t, dups[1].Barrier(ctx), ErrClosed)
	require.NoError(t, dups[2].Send(ctx, 1, 0, text("late")))
	require.NoError(t, comms[2].Send(ctx, 1, 0, Payload{}))
	_, err = comms[1].Recv(ctx, 2, 0)
	require.NoError(t, err)
	m1 := comms[1].job.matcher
	m1.mu.Lock()
	assert.NotContains(t, m1.boxes, dups[1].id, "late arrivals are dropped")
	m1.mu.Unlock()
	noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(ctx) }))
}

func TestClosedCommunicatorsTakeNoMemory(t *testing.T) {
	comms := connectAll(t, overMemory, 2)
	noErrors(t, each(comms, func(c *Comm) error {
		var last *Comm
		for range 500 {
			d, err := c.Dup(t.Context())
			if err != nil {
				return err
			}
			if last != nil {
				last.Close() // one behind
			}
			last = d
		}
		return last.Close()
	}))
	for _, c := range comms {
		assert.Equal(t, []idRange{{1, 500}, {1<<31 + 1, 1<<31 + 500}}, c.job.matcher.freed[0].ranges) // and those beside them
		assert.LessOrEqual(t, len(c.job.matcher.boxes), 1)
	}
}
