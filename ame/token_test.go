package ame

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lending lets an owner lend its token and returns when it lies free. back gets
// a value when the owner has it again.
func lending(t *testing.T, tok *token, needed func() bool) (back chan time.Duration) {
	back = make(chan time.Duration, 1)
	start := time.Now()
	go func() {
		tok.lend(needed)
		back <- time.Since(start)
	}()
	synctest.Wait()
	return back
}

func nobody() bool { return false }

// The owner has its token back when no call has taken it for a while.
func TestTokenComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := newToken()
		assert.False(t, tok.try(), "the owner holds it")
		back := lending(t, tok, nobody)
		for range 5 {
			time.Sleep(lendCheck - time.Millisecond)
			require.True(t, tok.try())
			assert.False(t, tok.try(), "one holds it")
			tok.put()
		}
		assert.Less(t, <-back, 5*lendCheck+2*lendCheck)
		assert.False(t, tok.try())
	})
}

// A call that has the token keeps it until it lays it down.
func TestTokenIsNotTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := newToken()
		back := lending(t, tok, nobody)
		require.True(t, tok.try())
		tok.recall()
		time.Sleep(time.Hour)
		assert.Empty(t, back)
		tok.put()
		assert.Equal(t, time.Hour, <-back)
	})
}

// Whoever falls asleep has the owner read at once, also when it does so just
// before the token is laid down.
func TestTokenIsRecalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := newToken()
		back := lending(t, tok, nobody)
		time.Sleep(time.Millisecond)
		tok.recall()
		assert.Equal(t, time.Millisecond, <-back)

		var sleepers atomic.Int32
		sleepers.Add(1)
		tok.recall() // in vain: it is not lent yet
		assert.Zero(t, <-lending(t, tok, func() bool { return sleepers.Load() > 0 }))
	})
}

// A token that is kept is lent no longer than it takes to see that.
func TestTokenIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := newToken()
		back := lending(t, tok, nobody)
		require.True(t, tok.try())
		tok.keep()
		tok.put()
		assert.LessOrEqual(t, <-back, lendCheck)
		assert.Zero(t, <-lending(t, tok, nobody))
	})
}

// An old recall does not shorten later lending for good.
func TestTokenForgetsRecalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := newToken()
		back := lending(t, tok, nobody)
		tok.recall()
		tok.recall()
		<-back
		back = lending(t, tok, nobody) // ends early once at most, by the second recall
		<-back
		start := time.Now()
		back = lending(t, tok, nobody)
		<-back
		assert.GreaterOrEqual(t, time.Since(start), lendCheck)
	})
}
