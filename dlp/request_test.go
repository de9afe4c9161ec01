package dlp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requestError is the error of a request that has failed at once.
func requestError(t *testing.T, r *Request) error {
	_, err := r.Wait(t.Context())
	return err
}

func TestBadMessages(t *testing.T) {
	type lossy struct{ hidden int }
	_ = lossy{hidden: 1}
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			for _, rank := range []int{-2, size} {
				text := "no rank"
				assert.ErrorContains(t, Send(ctx, c, 1, rank, 0), text)
				assert.ErrorContains(t, requestError(t, Isend(c, 1, rank, 0)), text)
				_, _, err := Recv[int](ctx, c, rank, 0)
				assert.ErrorContains(t, err, text)
				_, err = Probe(ctx, c, rank, 0)
				assert.ErrorContains(t, err, text)
				assert.ErrorContains(t, requestError(t, Irecv(c, new(int), rank, 0)), text)
				_, _, err = SendRecv(ctx, c, 1, rank, 0, 0, 0)
				assert.ErrorContains(t, err, text)
				_, _, err = SendRecv(ctx, c, 1, 0, 0, rank, 0)
				assert.ErrorContains(t, err, text)
			}
			_, arrived, err := c.ame.TryRecv(AnySource, AnyTag)
			assert.False(t, arrived, "nothing was sent")
			assert.NoError(t, err)
			assert.ErrorContains(t, Send(ctx, c, 1, AnySource, 0), "no rank -1")
			assert.ErrorContains(t, Send(ctx, c, 1, 0, AnyTag), "tag -1 is not in 0..2147483647")
			assert.ErrorContains(t, requestError(t, Isend(c, 1, 0, -2)), "tag -2 is not in 0..2147483647")
			assert.ErrorContains(t, requestError(t, Irecv[int](c, nil, 0, 0)), "nil as the place for the value")

			const field = "lossy.hidden is unexported"
			assert.ErrorContains(t, Send(ctx, c, lossy{}, 0, 0), field)
			assert.ErrorContains(t, requestError(t, Isend(c, lossy{}, 0, 0)), field)
			_, _, err = Recv[lossy](ctx, c, 0, 0)
			assert.ErrorContains(t, err, field)
			assert.ErrorContains(t, requestError(t, Irecv(c, new(lossy), 0, 0)), field)
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestMessagesOnNoComm(t *testing.T) {
	ctx := t.Context()
	const text = ": the Comm is nil"
	assert.ErrorContains(t, Send(ctx, nil, 1, 0, 0), text)
	_, _, err := Recv[int](ctx, nil, 0, 0)
	assert.ErrorContains(t, err, text)
	_, err = Probe(ctx, nil, 0, 0)
	assert.ErrorContains(t, err, text)
	_, _, err = SendRecv(ctx, nil, 1, 0, 0, 0, 0)
	assert.ErrorContains(t, err, text)
	r := Isend(nil, 1, 0, 0)
	assert.ErrorContains(t, requestError(t, r), text)
	assert.False(t, r.Cancel())
	_, err = Take[int](nil)
	assert.ErrorContains(t, err, "the Message is nil")
}

func TestMessagesOnAClosedComm(t *testing.T) {
	ctx := t.Context()
	require.NoError(t, Run(ctx, 2, func(ctx context.Context, c *Comm) error {
		d, err := c.Dup(ctx)
		if err != nil {
			return err
		}
		for _, closed := range []*Comm{d, c} {
			waits := Irecv(closed, new(int), c.Rank(), 0) // or the other one may leave first
			assert.ErrorContains(t, closed.Close(), "a request was never waited for: irecv from rank ")
			assert.ErrorIs(t, requestError(t, waits), ErrClosed)
			assert.ErrorIs(t, Send(ctx, closed, 1, 0, 0), ErrClosed)
			_, _, err := Recv[int](ctx, closed, 0, 0)
			assert.ErrorIs(t, err, ErrClosed)
			_, err = Probe(ctx, closed, 0, 0)
			assert.ErrorIs(t, err, ErrClosed)
			assert.ErrorIs(t, requestError(t, Isend(closed, 1, 0, 0)), ErrClosed)
			assert.ErrorIs(t, requestError(t, Irecv(closed, new(int), 0, 0)), ErrClosed)
		}
		return nil
	}))
}

// A value of another type is an error that names both types and the sender. A
// message that was probed can still be taken as what it is.
func TestMessageOfAnotherType(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 1 {
			return errors.Join(Send(ctx, c, []float64{1}, 0, 0), Send(ctx, c, 5, 0, 1), Send(ctx, c, inner{Name: "x"}, 0, 2))
		}
		_, s, err := Recv[string](ctx, c, 1, 0)
		assert.Regexp(t, `dlp: recv: rank 0: rank 1 on .*: got \[\]float64 where string is wanted`, err)
		assert.Equal(t, Status{1, 0, 8}, s)
		into := 1.5
		_, err = Irecv(c, &into, 1, 1).Wait(ctx)
		assert.ErrorContains(t, err, "got int64 where float64 is wanted")
		assert.Equal(t, 1.5, into)
		m, err := Probe(ctx, c, 1, AnyTag)
		require.NoError(t, err)
		_, err = Take[outer](m)
		assert.ErrorContains(t, err, "got dlp.inner where dlp.outer is wanted")
		v, err := Take[inner](m)
		assert.Equal(t, "x", v.Name)
		return err
	})
	require.NoError(t, errors.Join(errs...))
}

func TestMessagesOfALostRank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := startBreakable(t, 3, nil)
		errs := job.run(func(c *Comm) error {
			ctx := t.Context()
			if c.Rank() == 2 {
				job.cut(2)
				return nil
			}
			r := Irecv(c, new(int), 2, 0)
			_, _, err := Recv[int](ctx, c, 2, 0)
			assert.ErrorIs(t, requestError(t, r), ErrLost)
			assert.ErrorIs(t, requestError(t, Isend(c, 1, 2, 0)), ErrLost)
			assert.NotNil(t, Irecv(c, new(int), AnySource, 0)) // after a failure nobody is told that it is left
			return err
		})
		assert.ErrorIs(t, errs[0], ErrLost)
		assert.ErrorIs(t, errs[1], ErrLost)
	})
}

// What a rank has sent before its Close arrives, then its bye.
func TestMessagesOfARankThatHasLeft(t *testing.T) {
	require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 2 {
			return errors.Join(Send(ctx, c, 1, 0, 0), Send(ctx, c, 1, 1, 0))
		}
		_, _, err := Recv[int](ctx, c, 2, 0)
		assert.NoError(t, err)
		_, _, err = Recv[int](ctx, c, 2, 0)
		assert.ErrorIs(t, err, ErrLeft)
		return nil
	}))
}

// Close says which requests nobody has waited for.
func TestForgottenRequests(t *testing.T) {
	err := Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
		r := Isend(c, 1, 0, 7)
		Isend(c, 1, 0, 7)
		Irecv(c, new(int), AnySource, AnyTag)
		_, err := r.Wait(ctx)
		return err
	})
	assert.Regexp(t, `^dlp: close: rank 0: 2 requests were never waited for: `+
		`isend to rank 0 with tag 7 \(request_test.go:\d+\), irecv from any rank with any tag \(request_test.go:\d+\)$`, err)

	err = Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
		for range 5 {
			Irecv(c, new(int), 0, 1)
		}
		return nil
	})
	assert.ErrorContains(t, err, "5 requests were never waited for: irecv from rank 0 with tag 1")
	assert.ErrorContains(t, err, ", 2 more")

	err = Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		Irecv(c, new(int), AnySource, 0)
		if c.Rank() == 1 {
			return errOdd
		}
		return c.Barrier(ctx)
	})
	assert.ErrorIs(t, err, errOdd, "a failure goes first")
}

// A message that has not begun to leave can be taken back, and those behind one
// that nobody takes wait for it.
func TestMessagesBehindOneThatWaits(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 1 {
			a, _, err := Recv[int](ctx, c, 0, AnyTag)
			b, _, err1 := Recv[int](ctx, c, 0, AnyTag)
			return errors.Join(err, err1, want("messages", []int{1, 3}, []int{a, b}))
		}
		stuck := newRequest(c, "isend", 1, 0)
		p, err := outgoing(c, "isend", 1)
		require.NoError(t, err)
		c.outbox.queues = map[int][]*letter{1: {{request: stuck, payload: p}}}

		second, third := Isend(c, 2, 1, 0), Isend(c, 3, 1, 0)
		over, cancel := context.WithCancel(ctx)
		cancel()
		assert.ErrorIs(t, Send(over, c, 4, 1, 0), context.Canceled)
		_, err = second.Wait(over)
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, second.Cancel())
		assert.ErrorIs(t, requestError(t, second), context.Canceled)

		c.outbox.empty(c, 1)
		_, err = WaitAll(ctx, stuck, third)
		assert.False(t, third.Cancel())
		return err
	})
	require.NoError(t, errors.Join(errs...))
}

// Close ends messages that wait for their receiver, and says that they are left.
func TestCloseEndsWaitingMessages(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		d, err := c.Dup(ctx)
		if err != nil || c.Rank() == 1 {
			return err
		}
		var last *Request
		for range 2 * EagerLimit >> 20 {
			last = Isend(d, make([]byte, 1<<20), 1, 0)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		_, err = last.Wait(over)
		assert.ErrorIs(t, err, context.Canceled, "it goes on")
		assert.ErrorContains(t, d.Close(), "requests were never waited for: isend to rank 1 with tag 0 (request_test.go:")
		_, err = last.Wait(ctx)
		assert.ErrorIs(t, err, ErrClosed)
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}
