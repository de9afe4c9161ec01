package ame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
			comms[0].Close()
		}()
		for _, err := range each(comms[1:], func(c *Comm) error { _, err := c.Recv(t.Context(), AnySource, AnyTag); return err }) {
			assert.ErrorIs(t, err, ErrLeft)
		}
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
			closeAll([]*Comm{c, c, c})
			for range calls {
				assert.ErrorIs(t, <-waiting, ErrClosed)
			}
			assert.ErrorIs(t, c.Send(t.Context(), 1-rank, 0, Payload{}), ErrClosed)
			assert.ErrorIs(t, c.Barrier(t.Context()), ErrClosed)
			_, err := c.Recv(t.Context(), AnySource, AnyTag)
			assert.ErrorIs(t, err, ErrClosed)
			require.NoError(t, c.Close())
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

// Nothing comes through rank 0 once that has closed, from whomever it was to be.
func TestRecvAfterRootLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		require.NoError(t, comms[0].Close())
		synctest.Wait()
		for _, source := range []int{0, 1, AnySource} {
			_, err := comms[2].Recv(t.Context(), source, 1)
			assert.ErrorIs(t, err, ErrLeft)
			assert.ErrorContains(t, err, "rank 0 on nodea")
		}
	})
}

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
					<-comms[0].job.life.Done()
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
