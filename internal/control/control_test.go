package control

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/test/controltest"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

// launch is ameexec with ranks in this process.
func launch(t *testing.T, size int) (*Server, []fakeenv.Map) {
	server := New(Config{Job: "test", Host: "here", Size: size, Apps: []int{0, 1}})
	return server, controltest.Launch(t, server, size)
}

// joined is a rank that has come through its session.
type joined struct {
	*Client
	text string
}

// join is one session of the program of one rank, as package bootstrap has it.
func join(ctx context.Context, env fakeenv.Map) (joined, error) {
	rank, size, err := environ.RankAndSize(env.Lookup, "AME_RANK", "AME_SIZE")
	if err != nil {
		return joined{}, err
	}
	client, err := Join(ctx, env.Lookup, rank, size)
	if err != nil {
		return joined{}, err
	}
	j := joined{Client: client}
	switch {
	case size == 1:
	case rank == 0:
		j.text = client.Job + " is here"
		err = client.Publish(ctx, j.text, nil)
	default:
		j.text, err = client.Fetch(ctx)
	}
	if err != nil {
		client.Close(false)
	}
	return j, err
}

// joinAll runs one session of every rank.
func joinAll(t *testing.T, envs []fakeenv.Map) []joined {
	ranks := make([]joined, len(envs))
	errs := make([]error, len(envs))
	var all sync.WaitGroup
	for rank, env := range envs {
		all.Go(func() { ranks[rank], errs[rank] = join(t.Context(), env) })
	}
	all.Wait()
	for rank := range envs {
		require.NoError(t, errs[rank])
	}
	t.Cleanup(func() {
		for _, rank := range ranks {
			rank.Close(true)
		}
	})
	return ranks
}

func TestSessions(t *testing.T) {
	_, envs := launch(t, 4)
	first, second := joinAll(t, envs), joinAll(t, envs)
	for rank := range envs {
		seat := Seat{Job: "test-1", Host: "here", LocalRank: rank, LocalSize: 4}
		if rank == 1 {
			seat.App = 1
		}
		assert.Equal(t, seat, first[rank].Seat)
		assert.Equal(t, "test-1 is here", first[rank].text)
		assert.Equal(t, "test-2", second[rank].Job)
		assert.Equal(t, "test-2 is here", second[rank].text)
	}
}

func TestAlone(t *testing.T) {
	server, envs := launch(t, 1)
	assert.Equal(t, "test-1", joinAll(t, envs)[0].Job)
	assert.Equal(t, "test-2", joinAll(t, envs)[0].Job)
	assert.Empty(t, server.sessions, "nothing is kept of its programs")
}

// A rank may be two programs ahead; the sessions still match by number.
func TestRootFirst(t *testing.T) {
	_, envs := launch(t, 2)
	for range 2 {
		root, err := join(t.Context(), envs[0])
		require.NoError(t, err)
		defer root.Close(true)
	}
	for _, job := range []string{"test-1", "test-2"} {
		other, err := join(t.Context(), envs[1])
		require.NoError(t, err)
		assert.Equal(t, job, other.Job)
		require.NoError(t, other.Close(true))
	}
}

func TestCancelled(t *testing.T) {
	server, envs := launch(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := join(ctx, envs[1])
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := join(ctx, envs[1])
		waiting <- err
	}()
	waitJoined(server, 1, 1)
	cancel()
	err = <-waiting
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "rank 1")
}

func TestRankEnded(t *testing.T) {
	server, envs := launch(t, 3)
	waiting := make(chan error)
	go func() {
		_, err := join(t.Context(), envs[1])
		waiting <- err
	}()
	waitJoined(server, 1, 1)
	server.Exited(0, "exit status 0")
	const why = "rank 0 has ended (exit status 0) and will not join: it has started 0 programs of the job, this is number 1"
	assert.ErrorContains(t, <-waiting, why)
	_, err := join(t.Context(), envs[2])
	assert.ErrorContains(t, err, why)
}

// A rank that ended because another one had is not named in its place.
func TestNamesTheFirst(t *testing.T) {
	control, envs := launch(t, 3)
	control.Exited(2, "exit status 0")
	control.Exited(1, "exit status 1")
	_, err := join(t.Context(), envs[0])
	assert.ErrorContains(t, err, "rank 2 has ended (exit status 0) and will not join")
}

// Rank 0 listens already when a rank ends that should have come.
func TestTellsRankZero(t *testing.T) {
	server, envs := launch(t, 3)
	root, err := join(t.Context(), envs[0])
	require.NoError(t, err)
	defer root.Close(true)
	server.Exited(2, "exit status 0")
	<-root.Doomed().Done()
	assert.ErrorContains(t, context.Cause(root.Doomed()), "rank 2 has ended (exit status 0) and will not join")
}

// A program that ends after it has joined is missed by all: by rank 0, and by
// those that have the address.
func TestTellsAllThatOneHasFailed(t *testing.T) {
	for _, failing := range []int{0, 1, 2} {
		_, envs := launch(t, 3)
		var ranks []joined
		for _, env := range envs {
			rank, err := join(t.Context(), env)
			require.NoError(t, err)
			ranks = append(ranks, rank)
		}
		require.NoError(t, ranks[failing].Close(false))
		for rank, j := range ranks {
			if rank != failing {
				<-j.Doomed().Done()
				assert.ErrorContains(t, context.Cause(j.Doomed()), fmt.Sprintf("rank %d has ended its start before all ranks were connected", failing))
				require.NoError(t, j.Close(false))
			}
		}
	}
}

// How a process ended is said with it, which its own output may not.
func TestTellsHowOneHasEnded(t *testing.T) {
	server, envs := launch(t, 2)
	root, err := join(t.Context(), envs[0])
	require.NoError(t, err)
	defer root.Close(false)
	dead, err := join(t.Context(), envs[1])
	require.NoError(t, err)
	require.NoError(t, dead.Close(false))
	server.Exited(1, "exit status 0")
	<-root.Doomed().Done()
	assert.EqualError(t, context.Cause(root.Doomed()), "rank 1 has ended (exit status 0) before all ranks were connected")
}

// Whoever is connected knows that all are, so one that ends then is not missed.
func TestLeavingAfterUp(t *testing.T) {
	server, envs := launch(t, 3)
	ranks := joinAll(t, envs)
	require.NoError(t, ranks[2].Close(true))
	server.Exited(2, "exit status 0")
	require.NoError(t, ranks[1].Close(true))
	_, err := join(t.Context(), envs[1])
	assert.ErrorContains(t, err, "rank 2 has ended (exit status 0) and will not join")
	assert.NoError(t, ranks[0].Doomed().Err())
}

// waitJoined returns when rank's program has joined its n-th session.
func waitJoined(server *Server, rank, n int) {
	for {
		server.mu.Lock()
		joined := server.joined[rank]
		server.mu.Unlock()
		if joined >= n {
			return
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 500})
	}
}

func TestWrongEnvironment(t *testing.T) {
	_, envs := launch(t, 3)
	_, err := join(t.Context(), envs[1].With("AME_RANK", "2"))
	assert.ErrorContains(t, err, "AME_RANK=2, but ameexec started this process as rank 1")
	_, err = join(t.Context(), envs[1].With("AME_SIZE", "7"))
	assert.ErrorContains(t, err, "AME_SIZE=7, but ameexec started 3 ranks")
}
