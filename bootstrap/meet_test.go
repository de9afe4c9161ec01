package bootstrap

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// board is an exchange in memory, of ranks in this process.
type board struct {
	at       Place
	keeps    bool // is lasting
	deaf     error
	texts    chan string // from rank 0
	failures *[]error    // what close was given
}

func (b board) place() Place  { return b.at }
func (b board) lasting() bool { return b.keeps }

func (b board) host(env Env) (Endpoint, net.Listener, error) {
	if b.deaf != nil {
		return Endpoint{}, nil, b.deaf
	}
	return host(env, b.at, "board")
}

func (b board) publish(ctx context.Context, text string) error {
	select {
	case b.texts <- text:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b board) fetch(ctx context.Context, _ string) (string, error) {
	select {
	case text := <-b.texts:
		return text, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (b board) close(_ context.Context, failure error) error {
	*b.failures = append(*b.failures, failure)
	return nil
}

func newBoard(size int, keeps bool) func(rank int) board {
	texts := make(chan string, size)
	failures := make([]error, 0, size)
	return func(rank int) board {
		return board{at: Place{Rank: rank, Size: size, LocalSize: size}, keeps: keeps, texts: texts, failures: &failures}
	}
}

func TestMeet(t *testing.T) {
	rank := newBoard(2, false)
	root, err := meet(t.Context(), fakeenv.Map{}.Lookup, rank(0), nil)
	require.NoError(t, err)
	defer root.Listener.Close()
	other, err := meet(t.Context(), fakeenv.Map{}.Lookup, rank(1), nil)
	require.NoError(t, err)
	assert.Equal(t, root.Root, other.Root)
	assert.Nil(t, root.Listen)
	assert.Nil(t, other.Listener)
	assert.Nil(t, other.Newer, "what a launcher has carried is final")
	assert.Equal(t, []error{nil, nil}, *rank(0).failures, "both have left the exchange")

	direct, addresses, err := other.Listen()
	require.NoError(t, err)
	defer direct.Close()
	assert.Equal(t, []string{direct.Addr().String()}, addresses)
	assert.True(t, loopbackOnly(addresses), "all ranks are on one node")
}

func TestMeetRootCannotListen(t *testing.T) {
	rank := newBoard(2, false)
	x, broken := rank(0), errors.New("no port is free")
	x.deaf = broken
	_, err := meet(t.Context(), fakeenv.Map{}.Lookup, x, nil)
	require.ErrorIs(t, err, broken)
	_, err = meet(t.Context(), fakeenv.Map{}.Lookup, rank(1), nil)
	require.EqualError(t, err, "rank 0 cannot take part: no port is free")
	assert.Len(t, *x.failures, 2)

	x = newBoard(2, true)(0)
	x.deaf = broken
	_, err = meet(t.Context(), fakeenv.Map{}.Lookup, x, nil)
	require.ErrorIs(t, err, broken)
	assert.Empty(t, x.texts, "nobody would clear it away")
}

// Where rank 0's word may be of another job, the others do not wait for it in
// Find, pass over what they do not understand, and get what replaces it.
func TestMeetLasting(t *testing.T) {
	rank := newBoard(2, true)
	other, err := meet(t.Context(), fakeenv.Map{}.Lookup, rank(1), nil)
	require.NoError(t, err)
	require.NoError(t, other.check())
	old := testEndpoint()
	for _, text := range []string{"half a fi", invite(old, 2), invite(testEndpoint(), 7)} {
		rank(1).texts <- text
		if text == invite(old, 2) {
			got, err := other.Newer(t.Context())
			require.NoError(t, err)
			assert.Equal(t, old, got)
		}
	}
	root, err := meet(t.Context(), fakeenv.Map{}.Lookup, rank(0), nil)
	require.NoError(t, err)
	defer root.Listener.Close()
	got, err := other.Newer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, root.Root, got)

	assert.Empty(t, *rank(0).failures, "rank 0 keeps the exchange until Release")
	require.NoError(t, root.Release(nil))
	require.NoError(t, root.Release(nil), "a second time")
	assert.Equal(t, []error{nil}, *rank(0).failures)

}

func TestMeetLastingSaysWhatItDidNotUnderstand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBoard(2, true)(1)
		x.texts = make(chan string, 1)
		x.texts <- "garbage"
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := newer(x)(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "is no invitation")
	})
}

// Rank 0 hears, and tells, that not all ranks are in the launcher's barrier.
func TestMeetTellsThatRanksAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBoard(3, false)(0)
		x.texts = make(chan string) // nobody takes it
		ctx, cancel := context.WithTimeout(t.Context(), 75*time.Second)
		defer cancel()
		var told []string
		_, err := meet(ctx, fakeenv.Map{}.Lookup, x, func(what string) { told = append(told, what) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		const rest = ": 3 ranks are expected and not all have come; the launcher does not tell which are missing"
		assert.Equal(t, []string{"after 10s" + rest, "after 40s" + rest, "after 1m10s" + rest}, told)
	})
}

func TestWatchWithoutLauncher(t *testing.T) {
	ctx, stop := new(World).Watch(t.Context())
	require.NoError(t, ctx.Err())
	stop()
	require.Error(t, ctx.Err())
}
