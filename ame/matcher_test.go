package ame

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// aMessage is one that has come from a rank.
func aMessage(source, tag int, body string) *arrival {
	return &arrival{kind: kindMessage, Message: Message{Payload: text(body), Source: source, Tag: tag}}
}

func aPart(source int, c call, seq int) *arrival {
	return &arrival{kind: kindPart, call: c, Message: Message{Source: source, Tag: seq}}
}

func messageFrom(source, tag int) pattern {
	return pattern{kind: kindMessage, source: source, tag: tag}
}

// testMatcher is that of rank 0 of a job of size ranks.
func testMatcher(size int) *matcher {
	m := newMatcher(0)
	m.open(0, whole(0, size), intolerant)
	return m
}

// waitFor lets a call wait that must not find anything.
func waitFor(t *testing.T, m *matcher, id commID, p pattern) *receiver {
	a, r, trouble := m.expect(id, p, nil, false)
	require.Nil(t, a)
	require.Nil(t, trouble)
	return r
}

func TestMatcherMatches(t *testing.T) {
	m := testMatcher(3)
	any := waitFor(t, m, 0, messageFrom(AnySource, 7))
	one := waitFor(t, m, 0, messageFrom(2, AnyTag))
	assert.EqualValues(t, 2, m.sleepers.Load())
	for _, a := range []*arrival{aMessage(1, 8, "kept"), aMessage(2, 7, "first"), aMessage(2, 7, "second"), aMessage(2, 7, "third")} {
		_, c := m.deliver(0, a)
		require.Nil(t, c)
	}
	assert.Equal(t, "first", string((<-any.done).arrival.Body), "the call that came first")
	assert.Equal(t, "second", string((<-one.done).arrival.Body))
	assert.Zero(t, m.sleepers.Load())
	for _, want := range []string{"kept", "third"} {
		a, r, _ := m.expect(0, messageFrom(AnySource, AnyTag), nil, false)
		require.Nil(t, r)
		assert.Equal(t, want, string(a.Body))
	}
}

// A call that reads by itself is no sleeper until it stops, and what it gets
// carries its token to whoever has delivered it.
func TestMatcherCountsSleepers(t *testing.T) {
	m, tok := testMatcher(3), newToken()
	_, r, _ := m.expect(0, messageFrom(1, 1), tok, true)
	assert.Zero(t, m.sleepers.Load())
	m.sleep(r)
	assert.EqualValues(t, 1, m.sleepers.Load())
	via, _ := m.deliver(0, aMessage(1, 1, ""))
	assert.Same(t, tok, via)
	assert.Zero(t, m.sleepers.Load())
	m.sleep(r)
	assert.Zero(t, m.sleepers.Load(), "it has its outcome")
	<-r.done
	m.release(r)

	r = waitFor(t, m, 0, messageFrom(1, 1))
	assert.True(t, m.cancel(0, r))
	assert.False(t, m.cancel(0, r))
	assert.Zero(t, m.sleepers.Load())
	via, _ = m.deliver(0, aMessage(1, 1, "kept"))
	assert.Nil(t, via)
}

// A rank that has left ends the calls that wait for it alone; the last one that
// leaves ends those that wait for any.
func TestMatcherLeaving(t *testing.T) {
	m := testMatcher(3)
	m.deliver(0, aMessage(2, 1, "before"))
	one, every := waitFor(t, m, 0, messageFrom(2, 2)), waitFor(t, m, 0, pattern{kind: kindPart, op: opBarrier, source: AnySource, tag: 1, every: true})
	any, own, other := waitFor(t, m, 0, messageFrom(AnySource, 2)), waitFor(t, m, 0, messageFrom(0, 2)), waitFor(t, m, 0, messageFrom(1, 2))
	bye := &trouble{2, ErrLeft}
	m.leave(2, bye)
	assert.Same(t, bye, (<-one.done).trouble)
	assert.Same(t, bye, (<-every.done).trouble)
	a, _, _ := m.expect(0, messageFrom(2, 1), nil, false)
	assert.Equal(t, "before", string(a.Body), "what it sent is there")
	_, r, again := m.expect(0, messageFrom(2, 1), nil, false)
	assert.Nil(t, r)
	assert.Same(t, bye, again)
	for _, r := range []*receiver{any, own, other} {
		assert.Empty(t, r.done)
	}
	m.leave(1, &trouble{1, ErrLeft})
	assert.Len(t, any.done, 1)
	assert.Len(t, other.done, 1)
	assert.Empty(t, own.done, "this rank can still send to itself")
}

// A lost rank ends all calls of the communicators that it is in, and none of others.
func TestMatcherLoss(t *testing.T) {
	m := testMatcher(4)
	with, without, later := newCommID(0, 1), newCommID(0, 2), newCommID(0, 3)
	m.open(with, groupOf(0, []int{3, 0}), intolerant)
	m.open(without, groupOf(0, []int{0, 1}), intolerant)
	var waiting []*receiver
	for _, id := range []commID{0, with, without} {
		waiting = append(waiting, waitFor(t, m, id, messageFrom(0, 1)))
	}
	loss := (&failure{reason: reasonLost, peer: 3, text: "gone"}).trouble()
	m.leave(3, loss)
	assert.Same(t, loss, (<-waiting[0].done).trouble)
	assert.Same(t, loss, (<-waiting[1].done).trouble)
	assert.Empty(t, waiting[2].done)
	assert.Nil(t, m.usable(without))
	assert.Same(t, loss, m.usable(with))
	m.open(later, groupOf(0, []int{0, 3}), intolerant)
	assert.Same(t, loss, m.usable(later), "it was lost before")
}

// On a tolerant communicator a loss ends what waits for the lost rank alone, and
// collectives.
func TestMatcherTolerates(t *testing.T) {
	m := testMatcher(4)
	id, later := newCommID(0, 1), newCommID(0, 2)
	m.open(id, groupOf(0, []int{0, 2, 3}), tolerant)
	_, none, _ := m.begin(id, call{op: opGather}, nil)
	require.Nil(t, none)
	of, other, any := waitFor(t, m, id, messageFrom(3, 1)), waitFor(t, m, id, messageFrom(2, 1)), waitFor(t, m, id, messageFrom(AnySource, 1))
	part := waitFor(t, m, id, pattern{kind: kindPart, op: opGather, source: 2, tag: 1})
	loss := (&failure{reason: reasonLost, peer: 3, text: "gone"}).trouble()
	m.leave(3, loss)
	assert.Same(t, loss, (<-of.done).trouble)
	assert.Same(t, loss, (<-part.done).trouble, "rank 2 will not go on either")
	assert.Empty(t, other.done)
	assert.Empty(t, any.done)
	assert.Nil(t, m.usable(id))

	_, again, _ := m.begin(id, call{op: opGather}, nil)
	assert.Same(t, loss, again)
	_, r, again := m.expect(id, pattern{kind: kindPart, op: opGather, source: 2, tag: 1}, nil, false)
	assert.Nil(t, r)
	assert.Same(t, loss, again, "of a collective that was begun before")

	m.deliver(id, aMessage(2, 1, "goes on"))
	assert.Equal(t, "goes on", string((<-other.done).arrival.Body))
	m.leave(2, &trouble{2, ErrLeft})
	assert.ErrorIs(t, (<-any.done).trouble.err, ErrLost, "no other is left")

	m.open(later, groupOf(0, []int{0, 3, 1}), tolerant)
	assert.Nil(t, m.usable(later))
	_, again, _ = m.begin(later, call{op: opGather}, nil)
	assert.Same(t, loss, again, "it was lost before")
}

func TestMatcherEnds(t *testing.T) {
	m := testMatcher(2)
	r := waitFor(t, m, 0, messageFrom(1, 1))
	m.deliver(0, aMessage(1, 2, "kept"))
	first := &trouble{1, ErrAborted}
	m.fail(first)
	m.fail(&trouble{-1, ErrMismatch})
	assert.Same(t, first, (<-r.done).trouble)
	assert.Same(t, first, m.usable(0))
	a, _, _ := m.expect(0, messageFrom(1, 2), nil, false)
	assert.NotNil(t, a, "what has come can still be had")
	m.end(&trouble{-1, ErrClosed})
	m.deliver(0, aMessage(1, 2, "late"))
	assert.Empty(t, m.boxes)
	assert.Same(t, first, m.usable(0))
}

// Frames may come for a communicator before this rank knows it, and after its end.
func TestMatcherCommunicators(t *testing.T) {
	m := testMatcher(2)
	id := newCommID(1, 5)
	m.deliver(id, aMessage(1, 1, "early"))
	m.open(id, groupOf(0, []int{1, 0}), intolerant)
	a, _, _ := m.expect(id, messageFrom(1, 1), nil, false)
	assert.Equal(t, "early", string(a.Body))
	r := waitFor(t, m, id, messageFrom(1, 1))
	closed := &trouble{-1, ErrClosed}
	m.close(id, closed)
	assert.Same(t, closed, (<-r.done).trouble)
	m.deliver(id, aMessage(1, 1, "late"))
	assert.NotContains(t, m.boxes, id)
	assert.ErrorIs(t, m.usable(id).err, ErrClosed)
	assert.Nil(t, m.usable(newCommID(0, 5)), "the same number of another giver")
}

var (
	aBcast  = call{op: opBcast}
	aGather = call{op: opGather}
)

func begin(t *testing.T, m *matcher, c call) (round, *conflict) {
	now, trouble, conflict := m.begin(0, c, &callSite{name: "Here"})
	require.Nil(t, trouble)
	return *now, conflict
}

// A rank that is in another collective is found out, whoever comes first and
// however it shows: by its part, or because it says that it waits.
func TestConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		theirs call
		want   string
	}{
		"kind": {aGather, "rank 1 is in gather, rank 0 in Here"},
		"root": {call{op: opBcast, root: 1}, "rank 1 is in bcast with root 1, rank 0 in Here with root 0"},
		"use":  {call{op: opBcast, use: 3}, "rank 1 is in bcast, rank 0 in Here"},
	} {
		for _, part := range []bool{true, false} {
			for _, early := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/part %v/early %v", name, part, early), func(t *testing.T) {
					m := testMatcher(3)
					var found *conflict
					show := func() {
						if part {
							_, found = m.deliver(0, aPart(1, c.theirs, 1))
						} else {
							found = m.hear(0, 1, announcement{seq: 1, call: c.theirs})
						}
					}
					if early {
						show()
						require.Nil(t, found)
					}
					_, conflict := begin(t, m, aBcast)
					if !early {
						require.Nil(t, conflict)
						show()
						conflict = found
					}
					require.NotNil(t, conflict)
					assert.Equal(t, ErrMismatch.Error()+": "+c.want+" (collective 1 of communicator 0)", conflict.text(0, 0))
				})
			}
		}
	}
}

// Two others that wait in different ones are found while this rank computes.
func TestConflictOfOthers(t *testing.T) {
	m := testMatcher(3)
	assert.Nil(t, m.hear(0, 1, announcement{seq: 4, call: aBcast, text: "bcast (a.go:1)"}))
	assert.Nil(t, m.hear(0, 1, announcement{seq: 4, call: aBcast, text: "bcast (a.go:1)"}), "said again")
	c := m.hear(0, 2, announcement{seq: 4, call: aGather, text: "gather (b.go:2)"})
	require.NotNil(t, c)
	assert.Contains(t, c.text(0, 0), "rank 2 is in gather (b.go:2), rank 1 in bcast (a.go:1)")
}

// A history that differs shows in the next call that is the same.
func TestConflictOfHistories(t *testing.T) {
	m, other := testMatcher(2), testMatcher(2)
	begin(t, m, aBcast)
	begin(t, other, aGather)
	begin(t, m, aBcast)
	theirs, _ := begin(t, other, aBcast)
	c := m.hear(0, 1, announcement{seq: 2, call: aBcast, digest: theirs.digest})
	require.NotNil(t, c)
	assert.Contains(t, c.text(0, 0), "and were in different ones before")
}

// No conflict: a rank ahead, one far behind, and one that agrees.
func TestNoConflict(t *testing.T) {
	m := testMatcher(2)
	var now round
	for range 40 {
		now, _ = begin(t, m, aBcast)
	}
	assert.EqualValues(t, 40, now.seq)
	assert.Nil(t, m.hear(0, 1, announcement{seq: 8, call: aGather}), "too long ago to be known")
	assert.Nil(t, m.hear(0, 1, announcement{seq: 40, call: aBcast, digest: now.digest}))
	assert.Nil(t, m.hear(0, 1, announcement{seq: 41, call: aGather}))
	_, c := begin(t, m, aGather)
	assert.Nil(t, c)
	_, c = m.deliver(0, aPart(1, aGather, 0))
	assert.Nil(t, c, "there is no collective 0")
}
