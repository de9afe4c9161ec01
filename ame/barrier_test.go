package ame

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// meeting takes the ranks of a job through a first barrier, after which they
// meet in one of the two ways.
type meeting func(t *testing.T, comms []*Comm)

// meetings runs a test with ranks that meet by messages, and in memory.
func meetings(t *testing.T, name string, test func(t *testing.T, meet meeting)) {
	t.Run(name+"/by messages", func(t *testing.T) {
		test(t, func(t *testing.T, comms []*Comm) {
			for _, c := range comms {
				c.job.memory.close()
			}
			noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
			for _, c := range comms {
				require.True(t, c.barrier == nil)
			}
		})
	})
	t.Run(name+"/in memory", func(t *testing.T) { test(t, meetInMemory) })
}

func meetInMemory(t *testing.T, comms []*Comm) {
	noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
	for _, c := range comms {
		require.True(t, c.barrier != nil)
	}
}

// No rank leaves a barrier before the last has entered, whether they come
// together or one is late.
func TestBarrierHolds(t *testing.T) {
	const size, rounds = 4, 200
	for name, by := range transports {
		meetings(t, name, func(t *testing.T, meet meeting) {
			comms := connectAll(t, by, size)
			meet(t, comms)
			var entered atomic.Int64
			noErrors(t, each(comms, func(c *Comm) error { return passBarriers(c, &entered, rounds) }))
		})
	}
}

// passBarriers has the ranks that share the counter pass n barriers.
func passBarriers(c *Comm, entered interface{ Add(int64) int64 }, n int) error {
	for i := range int64(n) {
		if rand.N(10) == 0 {
			time.Sleep(rand.N(time.Millisecond))
		}
		entered.Add(1)
		if err := c.Barrier(context.Background()); err != nil {
			return err
		}
		if got, want := entered.Add(0), (i+1)*int64(c.Size()); got < want {
			return fmt.Errorf("left barrier %d when %d ranks had entered one, not %d", i, got, want)
		}
	}
	return nil
}

func TestBarrierOfProcesses(t *testing.T) {
	requireSegment(t)
	runProcesses(t, "barrier holds", 4, 200)
	runProcesses(t, "crash in barrier", 4, 1)
}

// counter is a word of a segment.
type counter struct{ *atomic.Uint32 }

func (c counter) Add(n int64) int64 { return int64(c.Uint32.Add(uint32(n))) }

// barrierHolds is passBarriers for ranks that are processes.
func barrierHolds(c *Comm, _ net.Conn, n int) (metrics, error) {
	if err := c.Barrier(context.Background()); err != nil {
		return nil, err
	}
	if c.barrier == nil {
		return nil, errors.New("the ranks do not meet in memory")
	}
	return nil, passBarriers(c, counter{c.job.memory.segment.barrier(maxShared-1, c.Size()).entered}, n)
}

// crashInBarrier loses rank 2 while the others wait for it.
func crashInBarrier(c *Comm, _ net.Conn, _ int) (metrics, error) {
	if err := c.Barrier(context.Background()); err != nil {
		return nil, err
	}
	if c.Rank() == 2 {
		time.Sleep(20 * time.Millisecond) // mostly the others are asleep by then
		os.Exit(0)
	}
	if err := c.Barrier(context.Background()); !errors.Is(err, ErrLost) {
		return nil, fmt.Errorf("got %v instead of the loss of rank 2", err)
	}
	return nil, nil
}

// Communicators meet apart from each other, whether there is room for them in
// memory or not.
func TestBarriersOfCommunicators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		noErrors(t, each(comms, func(world *Comm) error {
			dups := make([]*Comm, maxShared+3)
			for i := range dups {
				var err error
				if dups[i], err = world.Dup(t.Context()); err != nil {
					return err
				}
			}
			done := make(chan error, len(dups))
			for i, c := range dups {
				go func() {
					time.Sleep(time.Duration((i*7+c.Rank()*11)%13) * time.Millisecond)
					for range 20 {
						if err := c.Barrier(t.Context()); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			shared := 0
			for range dups {
				if err := <-done; err != nil {
					return err
				}
			}
			for _, c := range dups {
				if c.barrier != nil {
					shared++
				}
			}
			assert.Equal(t, maxShared, shared)
			return nil
		}))
	})
}

// A communicator of some of the ranks meets in memory, too, if it begins with
// rank 0, in whatever order the others follow.
func TestBarrierOfSomeRanks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 5)
		noErrors(t, each(comms, func(world *Comm) error {
			color := []int{0, 1, 0, 1, 0}[world.Rank()]
			some, err := world.Split(t.Context(), color, (5-world.Rank())%5)
			if err != nil {
				return err
			}
			for range 20 {
				if err := some.Barrier(t.Context()); err != nil {
					return err
				}
			}
			assert.Equal(t, color == 0, some.barrier != nil, "rank %d", world.Rank())
			return nil
		}))
	})
}

// A rank that has no access to the memory keeps all at messages.
func TestBarrierWithoutMemoryOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", os.Getpid()), 0)
		defer raw.Close()
		require.True(t, comms[0].job.memory.segment != nil)
		require.True(t, comms[1].job.memory.segment != nil)
		for seq := range uint32(3) {
			errs := make(chan []error)
			go func() { errs <- each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }) }()
			part := header{kind: kindPart, call: call{op: opBarrier}, flags: flagCounted, source: 2, tag: seq + 1}
			writeFrame(raw, part, "")
			h, body, err := newStream(2, 0, raw).read()
			require.NoError(t, err)
			part.source, part.dest = 0, 2
			assert.Equal(t, part, h)
			assert.Empty(t, body)
			noErrors(t, <-errs)
		}
	})
}

// A member that is sent to a place which it does not know says so.
func TestSentToMeetNowhere(t *testing.T) {
	for name, body := range map[string]string{"no segment": "\x00\x00\x00\x00", "out of range": "\x00\x00\x00\x40", "cut short": "\x00"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overMemory, 2)
				if name == "no segment" {
					comms[1].job.memory.close()
				}
				go func() {
					now, err := comms[0].enter(t.Context(), opBarrier, algorithmLinear, Call{})
					assert.NoError(t, err)
					assert.NoError(t, comms[0].sendAll(t.Context(), now, comms[0].others(), text(body)))
				}()
				err := comms[1].Barrier(t.Context())
				assert.ErrorContains(t, err, fmt.Sprintf("rank 0 on nodea: sent to meet in memory at %x, which is nowhere", body))
			})
		})
	}
}

// A rank that leaves without having entered ends the wait of the others; one
// that leaves a barrier before the others have woken does not.
func TestLeavingAndBarrier(t *testing.T) {
	meetings(t, "leaves instead", func(t *testing.T, meet meeting) {
		for _, leaver := range []int{0, 2} {
			for _, before := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					comms := connectAll(t, overMemory, 4)
					meet(t, comms)
					errs := each(comms, func(c *Comm) error {
						if (c.Rank() == leaver) != before {
							time.Sleep(time.Second)
						}
						if c.Rank() == leaver {
							return c.Close()
						}
						return c.Barrier(t.Context())
					})
					for rank, err := range errs {
						if rank != leaver {
							assert.ErrorContains(t, err, fmt.Sprintf("rank %d on node%c: ", leaver, 'a'+leaver), "rank %d", rank)
							assert.ErrorContains(t, err, ErrLeft.Error(), "rank %d", rank)
						}
					}
				})
			}
		}
	})
	meetings(t, "leaves at once", func(t *testing.T, meet meeting) {
		for range 10 {
			for late := range 4 {
				comms := connectAll(t, overTCP, 4)
				meet(t, comms)
				noErrors(t, each(comms, func(c *Comm) error {
					if c.Rank() == late {
						time.Sleep(time.Millisecond)
					}
					if err := c.Barrier(t.Context()); err != nil || c.Rank() == 0 {
						return err
					}
					return c.Close()
				}))
			}
		}
	})
}

// Close ends a barrier of its own rank and takes the memory away after it.
func TestCloseEndsBarrier(t *testing.T) {
	meetings(t, "barrier", func(t *testing.T, meet meeting) {
		synctest.Test(t, func(t *testing.T) {
			comms := connectAll(t, overMemory, 3)
			meet(t, comms)
			done := make(chan error)
			go func() { done <- comms[1].Barrier(t.Context()) }()
			synctest.Wait()
			closed := make(chan error)
			go func() { closed <- comms[1].Close() }()
			assert.ErrorIs(t, <-done, ErrClosed)
			require.NoError(t, <-closed)
			assert.True(t, comms[1].job.memory.segment == nil)
			assert.ErrorIs(t, comms[1].Barrier(t.Context()), ErrClosed)
		})
	})
}

// Ranks that have gone different ways before a barrier do not pass it, however
// many quick ones follow and however soon they close.
func TestMismatchBeforeBarrier(t *testing.T) {
	ways := maps.Clone(collectives)
	ways["nothing"] = func(context.Context, *Comm) error { return nil }
	for odd, different := range ways {
		for most, common := range ways {
			if odd == most || odd == "nothing" || odd == "barrier" && most == "nothing" {
				continue // the last one only lacks a barrier in the end
			}
			for _, oddRank := range []int{0, 2} {
				meetings(t, fmt.Sprintf("%s/rank %d in %s", most, oddRank, odd), func(t *testing.T, meet meeting) {
					t.Parallel()
					for _, barriers := range []int{1, 400} {
						comms := connectAll(t, overTCP, 3)
						meet(t, comms)
						errs := each(comms, func(c *Comm) error {
							call := common
							if c.Rank() == oddRank {
								call = different
							}
							err := call(t.Context(), c)
							for i := 0; i < barriers && err == nil; i++ {
								err = c.Barrier(t.Context())
							}
							return errors.Join(err, c.Close())
						})
						for rank, err := range errs {
							assert.ErrorIs(t, err, ErrMismatch, "rank %d: all %v", rank, errs)
						}
					}
				})
			}
		}
	}
}

// What was sent before a barrier is ahead of all that follows it: that others
// have left, and messages of others.
func TestBarrierFlushes(t *testing.T) {
	for name, by := range transports {
		for _, closes := range []bool{true, false} {
			meetings(t, fmt.Sprintf("%s/ranks close %v", name, closes), func(t *testing.T, meet meeting) {
				for range 10 {
					comms := connectAll(t, by, 4)
					meet(t, comms)
					noErrors(t, each(comms, func(c *Comm) error {
						if c.Rank() == 1 {
							if err := c.Send(t.Context(), 2, 1, text("before")); err != nil {
								return err
							}
						}
						if err := c.Barrier(t.Context()); err != nil {
							return err
						}
						var err error
						if c.Rank() == 2 {
							var m Message
							m, err = c.Recv(t.Context(), AnySource, 1)
							assert.Equal(t, "before", string(m.Body))
						} else if !closes {
							return c.Send(t.Context(), 2, 1, text("after"))
						}
						if closes {
							err = errors.Join(err, c.Close())
						}
						return err
					}))
				}
			})
		}
	}
}
