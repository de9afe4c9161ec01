package ame

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testLanes are lanes whose frames to rank 2 leave one by one, when taken.
func testLanes(wg *sync.WaitGroup) (ls *lanes, taken chan *frame) {
	taken = make(chan *frame)
	write := func(f *frame) {
		if f.dest == 2 {
			taken <- f
		}
	}
	return &lanes{write: write, spawn: wg.Go, to: map[int]*lane{}}, taken
}

func aFrame(source, dest, tag uint32, bytes int) *frame {
	return &frame{header: header{kind: kindMessage, source: source, dest: dest, tag: tag}, body: make([]byte, bytes)}
}

// Frames to one rank keep their order, what others send goes on, and a rank
// that has too much on its way waits, alone.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		ls, taken := testLanes(&wg)
		ls.add(aFrame(1, 2, 1, laneBound-frameCost-1))
		ls.add(aFrame(1, 2, 2, 1))
		ls.add(aFrame(3, 2, 3, 1)) // there is room for rank 3
		ls.add(aFrame(1, 3, 4, laneBound))
		full := make(chan struct{})
		go func() {
			ls.add(aFrame(1, 2, 5, 0))
			close(full)
		}()
		assert.True(t, ls.behind(aFrame(0, 2, 6, 0)))
		passed := make(chan bool, 1)
		go func() { passed <- ls.pass(t.Context(), 2) }()
		synctest.Wait()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		assert.False(t, ls.pass(over, 2))
		select {
		case <-full:
			t.Error("there is no room for rank 1")
		case <-passed:
			t.Error("the others have not left")
		default:
		}
		for _, tag := range []uint32{1, 2, 3, 6} {
			assert.Equal(t, tag, (<-taken).tag)
			synctest.Wait()
		}
		<-full
		assert.True(t, <-passed)
		assert.EqualValues(t, 5, (<-taken).tag)
		wg.Wait()
		assert.Empty(t, ls.to)
		assert.False(t, ls.behind(aFrame(0, 2, 7, 0)), "nothing waits")
		assert.True(t, ls.pass(over, 2))
	})
}

// Messages without a body take room, too.
func TestLaneOfShortMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		ls, taken := testLanes(&wg)
		const n = laneBound / frameCost
		for i := range uint32(n) {
			ls.add(aFrame(1, 2, i, 0))
		}
		full := make(chan struct{})
		go func() {
			ls.add(aFrame(1, 2, n, 0))
			close(full)
		}()
		synctest.Wait()
		assert.Len(t, ls.to[2].frames, n)
		for range n + 1 {
			<-taken
		}
		<-full
		wg.Wait()
	})
}

// Two ranks that have left with much on its way to each other keep nobody.
func TestLanesOfRanksThatHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		closeAll(comms[1:])
		j := comms[0].job
		for _, dest := range []uint32{1, 2} {
			l := &lane{bytes: map[int]int{}, moved: make(chan struct{})}
			for range 3 {
				l.put(aFrame(3-dest, dest, 1, laneBound))
			}
			j.lanes.to[int(dest)] = l
		}
		for dest, l := range maps.Clone(j.lanes.to) {
			go j.lanes.empty(dest, l)
		}
		time.Sleep(time.Second)
		j.lanes.mu.Lock()
		defer j.lanes.mu.Unlock()
		assert.Empty(t, j.lanes.to)
	})
}

// A rank that takes nothing holds up nothing that others say to each other and
// to rank 0, until a bound; then all arrives, in order.
func TestRelayToAStoppedRank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		const n = 40
		sent := make(chan int, n)
		errs := make(chan error, 1)
		go func() {
			var err error
			for i := range n {
				err = errors.Join(err, comms[1].Post(t.Context(), 2, i, Payload{Body: make([]byte, 1<<20)}))
				sent <- i
			}
			errs <- err
		}()
		synctest.Wait()
		// One frame is in the middle of a write, and one more is read.
		assert.InDelta(t, laneBound>>20, len(sent), 2)

		begin := time.Now()
		require.NoError(t, comms[0].Send(t.Context(), 1, 1, text("goes on")))
		m, err := comms[1].Recv(t.Context(), 0, 1)
		require.NoError(t, err)
		assert.Equal(t, "goes on", string(m.Body))
		assert.Zero(t, time.Since(begin))

		l := newStream(2, 0, raw)
		for i := range n {
			h, body, err := l.read()
			for err == nil && h.kind != kindMessage {
				h, body, err = l.read()
			}
			require.NoError(t, err)
			assert.Equal(t, []int{i, 1 << 20}, []int{int(h.tag), len(body)})
		}
		require.NoError(t, <-errs)
		raw.Close()
	})
}

// Below the bound a rank does not notice that another one takes nothing: what
// it says to rank 0 arrives, and so does its end.
func TestReadersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		defer raw.Close()
		begin := time.Now()
		for range 20 {
			require.NoError(t, comms[1].Post(t.Context(), 2, 1, Payload{Body: make([]byte, 1<<20)}))
		}
		require.NoError(t, comms[1].Send(t.Context(), 0, 1, text("heard")))
		_, err := comms[0].Recv(t.Context(), 1, 1)
		require.NoError(t, err)
		assert.Zero(t, time.Since(begin))
		kill(comms[1])
		_, err = comms[0].Recv(t.Context(), 1, 1)
		assert.ErrorIs(t, err, ErrLost)
		assert.Zero(t, time.Since(begin))
	})
}

// What a rank has said to another one is ahead of the news that it has left.
func TestLeftBehindTheRelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		writeFrame(raw, header{kind: kindWaiting, source: 2, dest: 1}, "") // asks for the end of rank 1
		for i := range 5 {
			require.NoError(t, comms[1].Post(t.Context(), 2, i, text("m")))
		}
		go comms[1].Close()
		synctest.Wait()
		l := newStream(2, 0, raw)
		var got []kind
		for len(got) < 6 {
			h, _, err := l.read()
			require.NoError(t, err)
			if h.kind != kindAsk {
				got = append(got, h.kind)
			}
		}
		assert.Equal(t, []kind{kindMessage, kindMessage, kindMessage, kindMessage, kindMessage, kindLeft}, got)
		raw.Close()
	})
}
