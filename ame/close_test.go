package ame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What was sent before Close arrives, however large, and then ErrLeft.
func TestCloseLosesNothing(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	for name, ranks := range map[string][2]int{"to root": {1, 0}, "from root": {0, 1}, "through root": {1, 2}} {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, overTCP, 3)
			from, to := comms[ranks[0]], comms[ranks[1]]
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range 3 {
					assert.NoError(t, from.Send(t.Context(), ranks[1], i, Payload{Body: body[:len(body)-i]}))
				}
				assert.NoError(t, from.Close())
			})
			for i := range 3 {
				m, err := to.Recv(t.Context(), ranks[0], i)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(body[:len(body)-i], m.Body))
			}
			_, err := to.Recv(t.Context(), ranks[0], AnyTag)
			assert.ErrorIs(t, err, ErrLeft)
			closeAll(slices.DeleteFunc(slices.Clone(comms), func(c *Comm) bool { return c == from }))
			wg.Wait()
		})
	}
}

// A rank that closes in good order disturbs only those who wait for it.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 4)
		waiting := make(chan error)
		for _, c := range []*Comm{comms[0], comms[1]} {
			go func() {
				_, err := c.Recv(t.Context(), 2, 1)
				waiting <- err
			}()
		}
		time.Sleep(time.Minute)
		require.NoError(t, comms[2].Close())
		for range 2 {
			err := <-waiting
			assert.ErrorIs(t, err, ErrLeft)
			assert.ErrorContains(t, err, "rank 2 on nodec: has closed its communicator")
		}
		assert.ErrorIs(t, comms[0].Send(t.Context(), 2, 1, text("late")), ErrLeft)
		require.NoError(t, comms[1].Send(t.Context(), 3, 1, text("goes on")))
		m, err := comms[3].Recv(t.Context(), AnySource, AnyTag)
		require.NoError(t, err)
		assert.Equal(t, "goes on", string(m.Body))
		_, err = comms[3].Recv(t.Context(), 2, 1) // it learns by asking
		assert.ErrorIs(t, err, ErrLeft)

		errs := each([]*Comm{comms[0], comms[1], comms[3]}, func(c *Comm) error { return c.Barrier(t.Context()) })
		assert.ErrorIs(t, errs[0], ErrLeft)
		for _, err := range errs[1:] {
			assert.ErrorContains(t, err, "rank 0 on nodea: gave up: barrier: rank 2 on nodec: has closed its communicator")
		}
	})
}

// A rank that takes nothing does not keep rank 0 from learning that the one it
// has asked about has closed.
func TestLeftWhereTheAskerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		defer raw.Close()
		writeFrame(raw, header{kind: kindWaiting, source: 2, dest: 1}, "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		go func() {
			require.NoError(t, comms[1].Send(t.Context(), 0, 1, text("lends the link")))
			time.Sleep(time.Millisecond)
			comms[1].Close()
		}()
		_, err := comms[0].Recv(ctx, 1, 1)
		require.NoError(t, err)
		_, err = comms[0].Recv(ctx, 1, 1)
		assert.ErrorIs(t, err, ErrLeft)
		assert.Less(t, time.Since(begin), time.Second)
	})
}

// When nobody else is left a Recv from any rank ends.
func TestLastOneLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		go func() {
			time.Sleep(time.Second)
			closeAll(comms[1:])
		}()
		_, err := comms[0].Recv(t.Context(), AnySource, AnyTag)
		assert.ErrorIs(t, err, ErrLeft)
	})
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		go func() {
			time.Sleep(time.Second)
			go comms[0].Close()
			time.Sleep(time.Second)
			comms[1].Close()
		}()
		_, err := comms[2].Recv(t.Context(), AnySource, AnyTag)
		assert.ErrorIs(t, err, ErrLeft)
	})
}

// Close ends what waits on this rank; a second one, also at the same time,
// does nothing.
func TestCloseEndsCalls(t *testing.T) {
	for _, rank := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			comms := connectAll(t, overMemory, 3)
			c := comms[rank]
			waiting := make(chan error)
			calls := []func() error{
				func() error { _, err := c.Recv(t.Context(), AnySource, 1); return err },
				func() error { _, err := c.Recv(t.Context(), 1-rank, 2); return err },
				func() error { return c.Barrier(t.Context()) },
			}
			for _, call := range calls {
				go func() { waiting <- call() }()
			}
			time.Sleep(time.Minute)
			closed := make(chan error)
			go func() {
				closeAll([]*Comm{c, c, c})
				closed <- c.Close()
			}()
			for range calls {
				assert.ErrorIs(t, <-waiting, ErrClosed)
			}
			assert.ErrorIs(t, c.Send(t.Context(), 1-rank, 0, Payload{}), ErrClosed)
			assert.ErrorIs(t, c.Barrier(t.Context()), ErrClosed)
			_, err := c.Recv(t.Context(), AnySource, AnyTag)
			assert.ErrorIs(t, err, ErrClosed)
			closeAll([]*Comm{comms[1-rank], comms[2]})
			require.NoError(t, <-closed)
		})
	}
}

// A mismatch that is found while a rank closes keeps none of its calls.
func TestMismatchAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 2)
		waiting := make(chan error)
		go func() { waiting <- comms[1].Barrier(t.Context()) }()
		time.Sleep(time.Second)
		comms[1].job.suspects.Store(true)
		go func() {
			time.Sleep(time.Second)
			comms[1].job.endLife() // as a Close does that has not seen it
			comms[1].job.matcher.end(&trouble{-1, ErrClosed})
		}()
		assert.ErrorIs(t, <-waiting, ErrClosed)
		assert.ErrorIs(t, comms[1].Barrier(t.Context()), ErrClosed)
	})
}

// After a failure Close does not wait for anything.
func TestCloseAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 4)
		kill(comms[3])
		for _, err := range each(comms[:3], func(c *Comm) error { return c.Barrier(context.Background()) }) {
			assert.True(t, errors.Is(err, ErrLost))
		}
		begin := time.Now()
		closeAll(comms)
		assert.Less(t, time.Since(begin), time.Second)
	})
}

// What others send each other goes by way of a rank 0 that has closed: what it has
// for itself ends at once, and its Close when nobody is left to send anything to another one.
func TestRootOutlastsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		begin := time.Now()
		closed := make(chan error)
		go func() { closed <- comms[0].Close() }()
		time.Sleep(time.Hour)
		_, err := comms[2].Recv(t.Context(), 0, 1)
		assert.ErrorIs(t, err, ErrLeft)
		assert.ErrorContains(t, err, "rank 0 on nodea")
		assert.ErrorIs(t, comms[1].Send(t.Context(), 0, 1, text("late")), ErrLeft)
		require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("goes on")))
		m, err := comms[2].Recv(t.Context(), AnySource, 1)
		require.NoError(t, err)
		assert.Equal(t, "goes on", string(m.Body))
		require.NoError(t, comms[1].Close())
		require.NoError(t, <-closed, "one alone sends nobody anything")
		_, err = comms[2].Recv(t.Context(), AnySource, 1)
		assert.ErrorIs(t, err, ErrLeft, "nobody is left")
		assert.Equal(t, time.Hour, time.Since(begin))
	})
}

// A rank 0 that is done first, and leaves, does not keep the others from ending a
// collective that it has ended, or from beginning it.
func TestRootEndsACollectiveFirst(t *testing.T) {
	for name, call := range map[string]func(c *Comm) error{
		"scan": func(c *Comm) error { _, err := c.Scan(context.Background(), Call{}, text("s"), joinTexts); return err },
		"exscan": func(c *Comm) error {
			_, err := c.Exscan(context.Background(), Call{}, text("s"), joinTexts)
			return err
		},
		"allreduce": func(c *Comm) error {
			_, err := c.Allreduce(context.Background(), Call{}, text("s"), joinTexts)
			return err
		},
		"allgather": func(c *Comm) error { _, err := c.Allgather(context.Background(), Call{}, text("s")); return err },
		"alltoall": func(c *Comm) error {
			_, err := c.Alltoall(context.Background(), Call{}, make([]Payload, 4))
			return err
		},
		"split":   func(c *Comm) error { _, err := c.Split(context.Background(), 0, 0); return err },
		"barrier": func(c *Comm) error { return c.Barrier(context.Background()) },
	} {
		for transport, by := range transports {
			if transport == "memory" {
				synctest.Test(t, func(t *testing.T) {
					noErrors(t, each(connectAll(t, by, 4), func(c *Comm) error {
						time.Sleep(time.Duration(c.Rank()) * time.Minute)
						return errors.Join(call(c), c.Close())
					}))
				})
				continue
			}
			for range 10 {
				errs := each(connectAll(t, by, 4), func(c *Comm) error { return errors.Join(call(c), c.Close()) })
				assert.NoError(t, errors.Join(errs...), "%s over %s", name, transport)
			}
		}
	}
}

func joinTexts(a, b Payload) (Payload, error) { return text(string(a.Body) + string(b.Body)), nil }

// A rank that sends its part of a collective and goes on does not see that
// another one never enters it. That one does, when it closes.
func TestCloseWithoutACollective(t *testing.T) {
	for name, by := range transports {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", name, late), func(t *testing.T) {
				comms := connectAll(t, by, 3)
				noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
				gather := func() error {
					_, err := comms[1].Gather(t.Context(), Call{}, text("g"))
					return err
				}
				closed := make(chan error, 1)
				if !late {
					assert.NoError(t, gather())
				}
				go func() { closed <- comms[0].Close() }()
				if late {
					for comms[0].job.matcher.usable(0) == nil {
						runtime.Gosched()
					}
					if gather() != nil {
						return // rank 0 was gone, and rank 1 has seen it
					}
				}
				assert.NoError(t, comms[1].Close())
				assert.NoError(t, comms[2].Close())
				err := <-closed
				assert.ErrorIs(t, err, ErrMismatch)
				assert.ErrorContains(t, err, "rank 1 on nodeb: ranks are in different collectives: it is in a gather that this rank has closed without")
				assert.NoError(t, comms[0].Close(), "the second Close")
			})
		}
	}
}

// The user is told for whom rank 0 stays.
func TestRootSaysForWhomItStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		comms := connectAll(t, overMemoryTelling(&told), 4)
		errs := each(comms, func(c *Comm) error {
			if c.Rank() > 0 {
				time.Sleep(5*time.Second + time.Duration(c.Rank())*15*time.Second)
			}
			return c.Close()
		})
		assert.NoError(t, errors.Join(errs...))
		require.Len(t, told, 2)
		assert.Contains(t, told[0], "10s: rank 0 has closed, and stays until ranks 1-3, which may need it for their messages, have closed, too")
		assert.Contains(t, told[1], "30s: rank 0 has closed, and stays until ranks 2-3, ")
	})
}
