package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mebi = 1 << 20

// flood sends n messages of a MiB each, whose tags count them. It reports each
// one that has left, and in the end the error.
func flood(ctx context.Context, c *Comm, dest, n int) (left chan int, err chan error) {
	left, err = make(chan int, n), make(chan error, 1)
	go func() {
		for i := range n {
			if e := c.Send(ctx, dest, i, Payload{Body: make([]byte, mebi)}); e != nil {
				err <- e
				return
			}
			left <- i
		}
		err <- nil
	}()
	return left, err
}

// flooded are jobs of 3 over pipes, and who sends to whom: by rank 0, to it,
// by way of it, and over a link of the pair.
func flooded(t *testing.T, test func(t *testing.T, comms []*Comm, from, to int)) {
	for _, by := range []struct {
		name     string
		by       transport
		from, to int
	}{{"from rank 0", overMemory, 0, 1}, {"to rank 0", overMemory, 2, 0}, {"relayed", overMemory, 1, 2}, {"pair", overPairPipes, 2, 1}} {
		t.Run(by.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, connectAll(t, withConnectionsOnly(by.by), 3), by.from, by.to) })
		})
	}
}

// Who sends more than the limit waits until it is received. That holds up no
// collective, no other communicator and no other rank; then all arrives.
func TestFloodWaits(t *testing.T) {
	flooded(t, func(t *testing.T, comms []*Comm, from, to int) {
		const n = 40
		left, failed := flood(t.Context(), comms[from], to, n)
		synctest.Wait()
		assert.GreaterOrEqual(t, len(left), EagerLimit/mebi)
		assert.LessOrEqual(t, len(left), creditBound/mebi+1)

		noErrors(t, each(comms, func(c *Comm) error {
			d, err := c.Dup(t.Context())
			if err != nil {
				return err
			}
			defer d.Close()
			err = d.Send(t.Context(), (c.Rank()+1)%3, 1, text("other"))
			_, err1 := d.Recv(t.Context(), AnySource, 1)
			return errors.Join(err, err1, d.Barrier(t.Context()))
		}))

		for i := range n {
			m, err := comms[to].Recv(t.Context(), AnySource, AnyTag)
			require.NoError(t, err)
			require.Equal(t, []int{from, i, mebi}, []int{m.Source, m.Tag, len(m.Body)})
		}
		assert.NoError(t, <-failed)
		synctest.Wait()
		assert.Empty(t, comms[to].job.matcher.boxes[0].unexpected)
	})
}

// Two ranks that send each other as much as the limit before they receive do
// not wait for each other, nor for one message that is above it.
func TestBothSendFirst(t *testing.T) {
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, 3)
			noErrors(t, each(comms, func(c *Comm) error {
				next, last := (c.Rank()+1)%3, (c.Rank()+2)%3
				for _, bytes := range []int{EagerLimit - messageCost, creditBound + 1} {
					if err := c.Send(t.Context(), next, 1, Payload{Body: make([]byte, bytes)}); err != nil {
						return err
					}
					if m, err := c.Recv(t.Context(), last, 1); err != nil || len(m.Body) != bytes {
						return fmt.Errorf("%d bytes: %w", len(m.Body), err)
					}
				}
				return nil
			}))
		})
	}
}

// A Send that waits ends with what the receiver waits for in vain, too.
func TestSendThatWaitsEnds(t *testing.T) {
	for name, end := range map[string]struct {
		by   func(comms []*Comm, from, to int, cancel func())
		want error
	}{
		"ctx":       {func(_ []*Comm, _, _ int, cancel func()) { cancel() }, context.Canceled},
		"close":     {func(comms []*Comm, _, to int, _ func()) { comms[to].Close() }, ErrLeft},
		"own close": {func(comms []*Comm, from, _ int, _ func()) { comms[from].Close() }, ErrClosed},
		"lost":      {func(comms []*Comm, _, to int, _ func()) { kill(comms[to]) }, ErrLost},
		"abort":     {func(comms []*Comm, _, to int, _ func()) { comms[to].Abort(nil) }, ErrAborted},
		"third closes": {func(comms []*Comm, from, to int, cancel func()) {
			go comms[3-from-to].Close()
			time.Sleep(time.Second)
			cancel()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			flooded(t, func(t *testing.T, comms []*Comm, from, to int) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				_, failed := flood(ctx, comms[from], to, 40)
				time.Sleep(time.Minute)
				begin := time.Now()
				go end.by(comms, from, to, cancel)
				err := <-failed
				assert.LessOrEqual(t, time.Since(begin), closeTimeout)
				if end.want != nil {
					assert.ErrorIs(t, err, end.want)
				}
				if name == "ctx" {
					for range creditBound/mebi + 1 {
						_, _, err := comms[to].TryRecv(from, AnyTag)
						require.NoError(t, err)
					}
					synctest.Wait()
					assert.NoError(t, comms[from].Send(t.Context(), to, 1, text("goes on")))
				}
			})
		})
	}
}

// A communicator that the receiver has closed takes no credit, neither for what
// lies there nor for what comes later: nobody waits. Who knows of it is told.
func TestFloodOfAClosedCommunicator(t *testing.T) {
	flooded(t, func(t *testing.T, comms []*Comm, from, to int) {
		dups := make([]*Comm, 3)
		noErrors(t, each(comms, func(c *Comm) (err error) {
			dups[c.Rank()], err = c.Dup(t.Context())
			return err
		}))
		left, failed := flood(t.Context(), dups[from], to, 40)
		synctest.Wait()
		assert.Less(t, len(left), 40)
		dups[to].Close()
		if err := <-failed; err != nil {
			assert.ErrorIs(t, err, ErrLeft)
		}
	})
}

func TestPostDoesNotWait(t *testing.T) {
	flooded(t, func(t *testing.T, comms []*Comm, from, to int) {
		for i := range 2 * creditBound / mebi {
			require.NoError(t, comms[from].Post(t.Context(), to, i, Payload{Body: make([]byte, mebi)}))
		}
		for i := range 2 * creditBound / mebi {
			m, err := comms[to].Recv(t.Context(), from, i)
			require.NoError(t, err)
			assert.Len(t, m.Body, mebi)
		}
	})
}

func TestBrokenCreditFrame(t *testing.T) {
	for _, body := range []string{"", "short", string(binary.BigEndian.AppendUint64(nil, 1<<63))} {
		synctest.Test(t, func(t *testing.T) {
			comms, raw := withRaw(t, peerOn("raw", 0), 0)
			defer raw.Close()
			writeFrame(raw, header{kind: kindCredit, source: 2, dest: 0}, body)
			_, err := comms[0].Recv(t.Context(), 2, 1)
			assert.ErrorContains(t, err, "credit frame of ")
		})
	}
}

// A rank that is ahead of another one in collectives waits when it has sent that
// as much as of messages, which take nothing of it, and goes on as the other one
// comes after.
func TestAheadInCollectives(t *testing.T) {
	flooded(t, func(t *testing.T, comms []*Comm, from, to int) {
		const n = 40
		ahead := make(chan int, n)
		gather := func(c *Comm) error {
			for i := range n {
				if _, err := c.Gather(t.Context(), Call{Root: to}, Payload{Body: make([]byte, mebi)}); err != nil {
					return err
				}
				if c.Rank() == from {
					ahead <- i
				}
			}
			return nil
		}
		left, failed := flood(t.Context(), comms[from], to, creditBound/mebi)
		errs := make(chan []error)
		go func() {
			errs <- each(comms, func(c *Comm) error {
				if c.Rank() == to {
					time.Sleep(time.Second)
					assert.GreaterOrEqual(t, len(ahead), EagerLimit/mebi)
					assert.LessOrEqual(t, len(ahead), creditBound/mebi+1)
				}
				return gather(c)
			})
		}()
		noErrors(t, <-errs)
		assert.Len(t, ahead, n)
		for i := range creditBound / mebi {
			_, err := comms[to].Recv(t.Context(), from, i)
			require.NoError(t, err)
		}
		assert.NoError(t, <-failed)
		assert.Len(t, left, creditBound/mebi)
	})
}

// A rank that waits since it is ahead is in its collective, for all that ends one.
func TestEndsOfBeingAhead(t *testing.T) {
	ahead := func(ctx context.Context, c *Comm) error {
		for {
			if _, err := c.Gather(ctx, Call{Root: 0}, Payload{Body: make([]byte, mebi)}); err != nil {
				return err
			}
		}
	}
	for name, test := range map[string]struct {
		other func(ctx context.Context, c *Comm, cancel func())
		want  error
		says  string
	}{
		"ctx":      {func(_ context.Context, _ *Comm, cancel func()) { cancel() }, context.Canceled, "gather: rank 1: context canceled"},
		"mismatch": {func(ctx context.Context, c *Comm, _ func()) { c.Barrier(ctx) }, ErrMismatch, "rank 1 is in gather"},
		"left":     {func(_ context.Context, c *Comm, _ func()) { c.Close() }, ErrLeft, "waits for it in gather"},
		"abort":    {func(_ context.Context, c *Comm, _ func()) { c.Abort(errors.New("enough")) }, nil, "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overMemory, 2)
				ctx, cancel := context.WithCancel(t.Context())
				failed := make(chan error)
				go func() { failed <- ahead(ctx, comms[1]) }()
				synctest.Wait()
				go test.other(t.Context(), comms[0], cancel)
				err := <-failed
				if test.want != nil {
					assert.ErrorIs(t, err, test.want)
				}
				assert.ErrorContains(t, err, test.says)
			})
		})
	}
}
