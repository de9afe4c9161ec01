package bootstrap

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ranksByFile runs the ranks of a job as goroutines that meet by file.
func ranksByFile(ctx context.Context, size int, file rendezvousFile, ranks ...int) ([]*World, []error) {
	worlds := make([]*World, size)
	errs := make([]error, size)
	var all sync.WaitGroup
	for _, rank := range ranks {
		worlds[rank] = &World{Rank: rank, Size: size, LocalRank: rank, LocalSize: size}
		all.Go(func() { errs[rank] = meetByFile(ctx, mapEnv{}.lookup, worlds[rank], "test", file) })
	}
	all.Wait()
	return worlds, errs
}

// assertMet checks that all agree, and that the file is gone.
func assertMet(t *testing.T, worlds []*World, errs []error, file rendezvousFile) {
	t.Helper()
	require.NoError(t, errors.Join(errs...))
	root := worlds[0]
	require.NotNil(t, root.Listener)
	for _, world := range worlds {
		assert.Equal(t, root.Job, world.Job)
		assert.Equal(t, root.Key.Bytes(), world.Key.Bytes())
		assert.Equal(t, root.Root, world.Root)
	}
	entries, err := os.ReadDir(file.dir)
	require.NoError(t, err)
	assert.Empty(t, entries)

	// The listener is as good as new: it takes the next connection.
	conn, err := net.Dial("tcp", root.Root[0])
	require.NoError(t, err)
	accepted, err := root.Listener.Accept()
	require.NoError(t, err)
	assert.Equal(t, conn.LocalAddr().String(), accepted.RemoteAddr().String())
	conn.Close()
	accepted.Close()
	require.NoError(t, root.Listener.Close())
}

func TestMeetByFile(t *testing.T) {
	for name, file := range map[string]rendezvousFile{
		"with events":    {},
		"without events": {watch: deaf},
	} {
		t.Run(name, func(t *testing.T) {
			file.dir, file.name = t.TempDir(), "f"
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			worlds, errs := ranksByFile(ctx, 5, file, 0, 1, 2, 3, 4)
			assertMet(t, worlds, errs, file)
		})
	}
}

func TestMeetByFileAlone(t *testing.T) {
	worlds, errs := ranksByFile(t.Context(), 1, rendezvousFile{dir: "/nowhere"}, 0)
	require.NoError(t, errs[0])
	assert.Nil(t, worlds[0].Listener)
	assert.NotEmpty(t, worlds[0].Job)
}

// What another job may have left under our name. The ranks other than 0
// read it first; then rank 0 comes.
func TestMeetByFilePastAStaleFile(t *testing.T) {
	old := func(address string) string {
		w := World{Size: 3, Job: "old", Key: NewKey(), Root: []string{address}}
		return invite(&w)
	}
	listening := func(t *testing.T, serve func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var serving sync.WaitGroup
		t.Cleanup(func() { l.Close(); serving.Wait() })
		serving.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				serving.Go(func() { serve(conn); conn.Close() })
			}
		})
		return l.Addr().String()
	}
	for name, stale := range map[string]func(t *testing.T) string{
		"nobody listens": func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			return old(l.Addr().String())
		},
		"another program listens": func(t *testing.T) string {
			return old(listening(t, func(c net.Conn) { c.Write([]byte("220 ready\r\n" + strings.Repeat(" ", 100))) }))
		},
		"it hangs up": func(t *testing.T) string { return old(listening(t, func(net.Conn) {})) },
		"garbage":     func(*testing.T) string { return "{}" },
		"half a file": func(*testing.T) string { return old("127.0.0.1:1")[:40] },
		"other size":  func(*testing.T) string { return strings.Replace(old("127.0.0.1:1"), `"size":3`, `"size":4`, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			file := rendezvousFile{dir: t.TempDir(), name: "f"}
			require.NoError(t, file.publish(stale(t)))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			// Ranks 1 and 2 have had their first look when the watch starts.
			looked := make(chan struct{}, 100)
			early := file
			early.watch = func(dir string) (<-chan struct{}, func()) {
				looked <- struct{}{}
				return watchDirectory(dir)
			}
			worlds := []*World{{Size: 3, LocalSize: 3}, {Rank: 1, Size: 3}, {Rank: 2, Size: 3}}
			errs := make([]error, 3)
			var all sync.WaitGroup
			for _, rank := range []int{1, 2} {
				all.Go(func() { errs[rank] = meetByFile(ctx, mapEnv{}.lookup, worlds[rank], "test", early) })
			}
			for range 4 { // each rank reads the stale file and comes back
				<-looked
			}
			errs[0] = meetByFile(ctx, mapEnv{}.lookup, worlds[0], "test", file)
			all.Wait()
			assertMet(t, worlds, errs, file)
		})
	}
}

// A program that ran just before has the same name, is alive, and even has a
// rank of our number. Its rank 0 has given its listener to others by then.
func TestMeetByFileAgain(t *testing.T) {
	file := rendezvousFile{dir: t.TempDir(), name: "f"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before, errs := ranksByFile(ctx, 3, file, 0, 1, 2)
	require.NoError(t, errors.Join(errs...))
	require.NoError(t, file.publish(invite(before[0])), "as if it were not yet seen to be gone")

	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := before[0].Listener.Accept()
			if err != nil {
				return
			}
			conn.Close() // it speaks another protocol now
		}
	}()
	worlds, errs := ranksByFile(ctx, 3, file, 0, 1, 2)
	assertMet(t, worlds, errs, file)
	assert.NotEqual(t, before[0].Key.Bytes(), worlds[0].Key.Bytes())
	before[0].Listener.Close()
	<-done
}

func TestMeetByFileRankMissing(t *testing.T) {
	file := rendezvousFile{dir: t.TempDir(), name: "f"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, errs := ranksByFile(ctx, 4, file, 0, 2)
	require.ErrorIs(t, errs[0], context.DeadlineExceeded)
	assert.ErrorContains(t, errs[0], "of 4 ranks these have not come: 1, 3")
	assert.ErrorContains(t, errs[0], "Set AME_RENDEZVOUS_DIR")
	require.ErrorIs(t, errs[2], context.DeadlineExceeded)
	entries, err := os.ReadDir(file.dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "the file is gone at the deadline")
}

func TestMeetByFileRootMissing(t *testing.T) {
	file := rendezvousFile{dir: t.TempDir(), name: "f"}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, errs := ranksByFile(ctx, 4, file, 3)
	require.ErrorIs(t, errs[3], context.DeadlineExceeded)
	assert.ErrorContains(t, errs[3], file.path()+" did not appear")
}

func TestMeetByFileNotWritable(t *testing.T) {
	file := rendezvousFile{dir: tmpfs(t, "ro"), name: "f"}
	_, errs := ranksByFile(t.Context(), 2, file, 0)
	assert.ErrorContains(t, errs[0], "read-only file system: set AME_RENDEZVOUS_DIR to a directory that all ranks can write to")
}

// Strangers at rank 0's door keep nobody waiting and are not let in.
func TestGatherStrangers(t *testing.T) {
	key, other := NewKey(), NewKey()
	listener, root, err := listen(mapEnv{}.lookup, true, ports{})
	require.NoError(t, err)
	group := newListenerGroup([]net.Listener{listener})
	defer group.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()

	silent, err := net.Dial("tcp", root[0])
	require.NoError(t, err)
	defer silent.Close()
	left := make(chan error, 1)
	all.Go(func() { left <- gather(ctx, group, key, 2, func() error { return silent.Close() }) })

	stranger, err := net.Dial("tcp", root[0])
	require.NoError(t, err)
	stranger.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n" + strings.Repeat("x", 100)))
	n, _ := stranger.Read(make([]byte, 1))
	assert.Zero(t, n, "no answer")
	stranger.Close()
	for _, rank := range []int{0, 2, 1 << 20} {
		assert.Error(t, greet(ctx, root, key, rank), "rank %d", rank)
	}
	assert.Error(t, greet(ctx, root, other, 1), "wrong key")
	assert.NoError(t, greet(ctx, append([]string{"127.0.0.1:1"}, root...), key, 1))
	assert.NoError(t, <-left)
}

// An address that swallows everything does not keep a rank from the next one.
func TestGreetPastABlackHole(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer hole.Close()
	key := NewKey()
	listener, root, err := listen(mapEnv{}.lookup, true, ports{})
	require.NoError(t, err)
	group := newListenerGroup([]net.Listener{listener})
	defer group.Close()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { assert.NoError(t, gather(t.Context(), group, key, 2, func() error { return nil })) })
	start := time.Now()
	require.NoError(t, greet(t.Context(), append([]string{hole.Addr().String()}, root...), key, 1))
	assert.Less(t, time.Since(start), greetingTime)
}

func TestInvitation(t *testing.T) {
	root := World{Job: "j", Size: 3, Key: NewKey(), Root: []string{"10.0.0.1:5", "[fd00::1]:5"}}
	world := World{Rank: 1, Size: 3}
	require.NoError(t, world.accept(invite(&root)))
	assert.Equal(t, root.Key.Bytes(), world.Key.Bytes())
	assert.Equal(t, root.Root, world.Root)
	assert.Equal(t, "j", world.Job)
	assert.NotContains(t, invite(&root), "\x00")

	secret := root.Key.Encode()
	for name, test := range map[string]struct{ text, says string }{
		"empty":      {"", "no invitation"},
		"half":       {invite(&root)[:60], "no invitation"},
		"too long":   {invite(&root) + strings.Repeat(" ", maxInvitation), "no invitation"},
		"version":    {`{"version":2}`, "version 2, this program understands 1"},
		"size":       {strings.Replace(invite(&root), `"size":3`, `"size":4`, 1), "rank 0 sees 4 ranks, rank 1 sees 3"},
		"no address": {strings.Replace(invite(&root), `"root"`, `"toor"`, 1), "no address"},
		"odd address": {strings.Replace(invite(&root), "10.0.0.1:5", "10.0.0.1", 1),
			"an address that is none"},
		"short key": {strings.Replace(invite(&root), secret, secret[:20], 1), "key of rank 0"},
		"apology":   {apologize(errors.New("no port is free")), "rank 0 cannot take part: no port is free"},
	} {
		t.Run(name, func(t *testing.T) {
			err := world.accept(test.text)
			require.ErrorContains(t, err, test.says)
			assert.NotContains(t, err.Error(), secret[:20])
		})
	}
}

func FuzzInvitation(f *testing.F) {
	f.Add(invite(&World{Job: "j", Size: 3, Key: NewKey(), Root: []string{"10.0.0.1:5"}}))
	f.Add(apologize(errors.New("why")))
	f.Fuzz(func(t *testing.T, text string) {
		world := World{Rank: 1, Size: 3}
		if world.accept(text) == nil && world.check() != nil {
			t.Fatal(world.check())
		}
	})
}
