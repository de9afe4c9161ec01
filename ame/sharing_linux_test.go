package ame

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sharingEnd is a rank's end of a link between ranks 0 and 1, which takes the
// frames about memory and counts the others.
type sharingEnd struct {
	*stream
	job  *job
	got  []uint32 // tags, in order of arrival
	done chan error
}

// sharingPair returns the ends of a link on which a rank believes of the other
// one that it is another process of its node, with the given process id.
func sharingPair(t *testing.T, pids [2]int) (ends [2]*sharingEnd) {
	requireSegment(t)
	near, far := tcpPair(t)
	for rank, conn := range []net.Conn{near, far} {
		j := newJob(&Config{Rank: rank, Size: 2, Logger: slog.New(slog.DiscardHandler)})
		other := 1 - rank
		j.mesh.describe(rank, peerOn("x", -1))
		j.mesh.describe(other, peerOn("x", pids[other]))
		s := j.newLink(other, conn)
		j.mayShare(s)
		ends[rank] = &sharingEnd{stream: s, job: j, done: make(chan error, 1)}
		t.Cleanup(func() {
			s.close()
			j.pumps.Wait()
		})
	}
	return ends
}

// wantConnections is AME_MEMORY=0 on one rank.
func (e *sharingEnd) wantConnections() {
	e.job.connectionsOnly = true
	e.job.mayShare(e.stream)
}

// run reads until the other end says bye.
func (e *sharingEnd) run() {
	for {
		h, body, err := e.read()
		switch {
		case err != nil:
			e.done <- err
			return
		case h.kind == kindMemory:
			err = e.shares(body)
		case h.kind == kindBye:
			e.done <- nil
			return
		default:
			e.got = append(e.got, h.tag)
			for i, b := range body {
				if b != byte(int(h.tag)+i) {
					err = io.ErrUnexpectedEOF
				}
			}
		}
		if err != nil {
			e.done <- err
			return
		}
	}
}

// send writes frames of many lengths, with the tags from from up to to.
func (e *sharingEnd) send(t *testing.T, from, to int) {
	for tag := from; tag < to; tag++ {
		body := make([]byte, tag*tag%70_000)
		for i := range body {
			body[i] = byte(tag + i)
		}
		h := header{kind: kindMessage, source: uint32(e.job.rank), dest: uint32(e.peer()), tag: uint32(tag), length: uint64(len(body))}
		assert.NoError(t, e.write(context.Background(), h, body))
	}
}

func (e *sharingEnd) bye(t *testing.T) {
	h := header{kind: kindBye, source: uint32(e.job.rank), dest: uint32(e.peer())}
	assert.NoError(t, e.write(context.Background(), h, nil))
}

// writesToMemory says whether that is where the next frame goes.
func (e *sharingEnd) writesToMemory() bool {
	e.writing <- struct{}{}
	defer func() { <-e.writing }()
	return e.out != e.conn
}

// A busy link goes over to memory, in the middle of traffic both ways, and every
// frame comes once and in order. Where memory cannot be opened, or is not wanted,
// the connection stays.
func TestLinkGoesOverToMemory(t *testing.T) {
	own := os.Getpid()
	for name, test := range map[string]struct {
		pids   [2]int
		before func(ends [2]*sharingEnd)
		shares bool
	}{
		"shared":                 {[2]int{own, own}, func([2]*sharingEnd) {}, true},
		"cannot be opened":       {[2]int{1 << 30, own}, func([2]*sharingEnd) {}, false},
		"too many are there":     {[2]int{own, own}, func(ends [2]*sharingEnd) { ends[1].job.sharing.Store(maxSharing) }, false},
		"only rank 1 wants none": {[2]int{own, own}, func(ends [2]*sharingEnd) { ends[1].wantConnections() }, false},
		"only rank 0 wants none": {[2]int{own, own}, func(ends [2]*sharingEnd) { ends[0].wantConnections() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			ends := sharingPair(t, test.pids)
			test.before(ends)
			const frames = 400
			var wg sync.WaitGroup
			for _, e := range ends {
				go e.run()
				wg.Go(func() {
					e.send(t, 0, frames/2)
					if test.shares { // it may take longer than the frames
						assert.Eventually(t, ends[0].writesToMemory, 10*time.Second, time.Millisecond)
						assert.Eventually(t, ends[1].writesToMemory, 10*time.Second, time.Millisecond)
					}
					e.send(t, frames/2, frames)
					e.bye(t)
				})
			}
			wg.Wait()
			for _, e := range ends {
				require.NoError(t, <-e.done)
				require.Len(t, e.got, frames)
				for i, tag := range e.got {
					require.EqualValues(t, i, tag)
				}
				assert.Equal(t, test.shares, e.in != e.conn, "reads from memory")
				assert.Equal(t, test.shares, e.writesToMemory(), "writes to memory")
			}
		})
	}
}

// Ranks that are not two processes of one node do not try.
func TestWhoMayShare(t *testing.T) {
	a, b := &Node{"x", NodeID{1}}, &Node{"x", NodeID{2}}
	for name, test := range map[string]struct {
		own, other  Peer
		only        bool
		job, offers bool
	}{
		"two processes":    {Peer{a, 1}, Peer{a, 2}, false, true, true},
		"one process":      {Peer{a, 1}, Peer{a, 1}, false, false, false},
		"two nodes":        {Peer{a, 1}, Peer{b, 2}, false, false, false},
		"connections only": {Peer{a, 1}, Peer{a, 2}, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(&Config{Size: 2, ConnectionsOnly: test.only, Logger: slog.New(slog.DiscardHandler)})
			j.mesh.describe(0, test.own)
			j.mesh.describe(1, test.other)
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			s := j.newLink(1, near)
			j.mayShare(s)
			assert.Equal(t, test.job, s.sharing.job != nil, "takes frames about memory")
			assert.Equal(t, test.offers, s.sharing.offers)
		})
	}
}

// Frames about memory that are out of turn end the link, and touch nothing.
func TestSharingOutOfTurn(t *testing.T) {
	offer := memoryOffer{descriptor: 5}
	for name, body := range map[string][]byte{
		"empty":          nil,
		"unknown":        {9},
		"begin":          {sharingBegin},
		"accept":         {sharingAccept},
		"decline":        {sharingDecline},
		"offer upwards":  append([]byte{sharingOffer}, offer.appendTo(nil)...),
		"offer, cut off": {sharingOffer, recordMemory, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ends := sharingPair(t, [2]int{os.Getpid(), os.Getpid()})
			assert.Error(t, ends[0].shares(body))
			if name != "offer upwards" {
				assert.Error(t, ends[1].shares(body))
			}
			assert.Nil(t, ends[0].memory.Load())
		})
	}
}

// Memory is offered once: an end that declines need not do so again and again.
func TestSecondOffer(t *testing.T) {
	ends := sharingPair(t, [2]int{os.Getpid(), os.Getpid()})
	offer := append([]byte{sharingOffer}, (&memoryOffer{descriptor: 5}).appendTo(nil)...)
	assert.NoError(t, ends[1].shares(offer), "it declines")
	assert.ErrorContains(t, ends[1].shares(offer), "out of turn")
}

// Memory that was offered is given back when the link ends before the answer.
func TestOfferIsTakenBack(t *testing.T) {
	for name, end := range map[string]func(e *sharingEnd){
		"declined":         func(e *sharingEnd) { assert.NoError(t, e.shares([]byte{sharingDecline})) },
		"link closed":      func(e *sharingEnd) { e.close() },
		"closed before it": func(e *sharingEnd) { e.close(); e.offer() },
	} {
		t.Run(name, func(t *testing.T) {
			ends := sharingPair(t, [2]int{os.Getpid(), os.Getpid()})
			if name != "closed before it" {
				ends[0].offer()
				require.NotNil(t, ends[0].sharing.made.Load())
			}
			end(ends[0])
			assert.Nil(t, ends[0].sharing.made.Load())
			assert.Zero(t, ends[0].job.sharing.Load())
		})
	}
}

// A process that dies leaves an end to its peer, also in the middle of a frame.
func TestSharingPeerDies(t *testing.T) {
	ends := sharingPair(t, [2]int{os.Getpid(), os.Getpid()})
	go ends[0].run()
	go ends[1].run()
	h := header{kind: kindMessage, source: 0, dest: 1}
	for range 100 {
		require.NoError(t, ends[0].write(context.Background(), h, nil))
	}
	require.Eventually(t, func() bool { return ends[0].memory.Load() != nil && ends[1].memory.Load() != nil }, 10*time.Second, time.Millisecond)
	require.NoError(t, ends[0].writing.take(context.Background()))
	h.length = 1000
	ends[0].out.Write(h.appendTo(nil))
	ends[0].out.Write(make([]byte, 500))
	ends[0].conn.Close()
	err := <-ends[1].done
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	ends[0].writing.release()
}
