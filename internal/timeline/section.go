package timeline

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"
)

// Head is what is known of a loop when it begins.
type Head struct {
	Kind  string // of loop
	Label string // may be empty
	Job   string
	Began time.Time
	Items int // -1 if nobody knows
	Ranks []Rank
}

// Rank is a rank of a loop.
type Rank struct {
	Host  string
	Slots int // how many items it works on at once
}

// Stamps are what a server knows of the time of a chunk; see the package comment.
type Stamps struct {
	Received time.Duration
	Messages int           // that it had sent to the rank
	Sent     time.Duration // the last of them
}

const (
	// writeEvery and writeSize say when what is recorded goes to the file.
	writeEvery = time.Second
	writeSize  = 256 << 10

	// waitingMost bounds what waits for a slow disk, in bytes.
	waitingMost = 64 << 20
)

// Section writes what one loop does, on rank 0. Its methods may be called by
// several goroutines and on a nil Section, which records nothing. None of them
// waits for the disk but Flush and Close.
type Section struct {
	path  string
	epoch time.Time // when rank 0's clock was 0
	loop  id
	file  *os.File

	kick    chan struct{} // there is much to write
	quit    chan struct{}
	writing sync.WaitGroup

	fileMu sync.Mutex // of writes, in order
	err    error      // of the first write that has failed

	mu      sync.Mutex
	waiting []byte // not written
	dropped int    // bytes of chunks
	own     Log    // of rank 0, but for its worker
}

// Open begins a section at the end of a file, which is made if there is none, by
// mode 0600. The clock of rank 0 counts from epoch; entered is when it has come to
// the loop.
func Open(path string, epoch time.Time, entered time.Duration, h Head) (*Section, error) {
	s := &Section{path: path, epoch: epoch, kick: make(chan struct{}, 1), quit: make(chan struct{})}
	if _, err := rand.Read(s.loop[:]); err != nil {
		return nil, err
	}
	empty := false
	var err error
	if s.file, empty, err = openFile(path); err != nil {
		return nil, err
	}
	if empty {
		s.waiting = append(s.waiting, magic...)
	}
	s.waiting = appendFrame(s.waiting, kindLoop, s.loop, func(b []byte) []byte { return h.append(b, entered) })
	if err := s.Flush(); err != nil {
		s.file.Close()
		return nil, err
	}
	s.writing.Go(s.write)
	return s, nil
}

// write writes what waits from time to time.
func (s *Section) write() {
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.kick:
		case <-s.quit:
			return
		}
		_ = s.Flush() // Close says it
	}
}

// Flush writes what waits. After an error nothing more is written.
func (s *Section) Flush() error {
	if s == nil {
		return nil
	}
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	s.mu.Lock()
	s.takeOwn()
	b := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	if s.err == nil && len(b) > 0 {
		if _, err := s.file.Write(b); err != nil {
			s.err = fmt.Errorf("timeline %s: %w", s.path, err)
		}
	}
	return s.err
}

// Close writes what waits and closes the file.
func (s *Section) Close() error {
	if s == nil {
		return nil
	}
	close(s.quit)
	s.writing.Wait()
	err := s.Flush()
	return cmp.Or(err, s.file.Close())
}

// Now is rank 0's clock.
func (s *Section) Now() time.Duration {
	if s == nil {
		return 0
	}
	return time.Since(s.epoch)
}

// Chunk appends what Log.Take has returned on a rank.
func (s *Section) Chunk(rank int, at Stamps, taken []byte) {
	if s == nil || len(taken) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chunk(rank, at, taken)
}

// chunk is Chunk of a caller who holds mu.
func (s *Section) chunk(rank int, at Stamps, taken []byte) {
	if len(s.waiting) > waitingMost {
		s.dropped += len(taken)
		return
	}
	s.add(kindChunk, func(b []byte) []byte {
		b = binary.AppendUvarint(b, uint64(rank))
		b = binary.AppendUvarint(b, uint64(max(0, at.Received)))
		b = binary.AppendUvarint(b, uint64(at.Messages))
		b = binary.AppendUvarint(b, uint64(max(0, at.Sent)))
		return append(b, taken...)
	})
}

// add appends a frame. The caller holds mu.
func (s *Section) add(kind byte, fill func([]byte) []byte) {
	s.waiting = appendFrame(s.waiting, kind, s.loop, fill)
	if len(s.waiting) < writeSize {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Own adds a record of rank 0 itself.
func (s *Section) Own(state State, slot, index int, start, took time.Duration) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own.Add(state, slot, index, start, took)
	if s.own.Size() >= writeSize/4 {
		s.takeOwn()
	}
}

// takeOwn makes a chunk of rank 0's own records. The caller holds mu.
func (s *Section) takeOwn() {
	if taken := s.own.Take(s.Now()); taken != nil {
		s.chunk(0, Stamps{Received: s.Now()}, taken)
	}
}

// Span is a run of items.
type Span struct{ First, N int }

// Lost notes that a rank is lost, with the items that it held.
func (s *Section) Lost(rank int, held []Span, why string) {
	if s == nil {
		return
	}
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(kindLost, func(b []byte) []byte {
		b = binary.AppendUvarint(b, uint64(rank))
		b = binary.AppendUvarint(b, uint64(now))
		b = binary.AppendUvarint(b, uint64(len(held)))
		for _, h := range held {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(h.First)), uint64(h.N))
		}
		return appendText(b, why)
	})
}

// End notes that the loop is over for rank 0, with an error or without. Chunks of
// ranks that are still in it may follow.
func (s *Section) End(err error) {
	if s == nil {
		return
	}
	now := s.Now()
	why := ""
	if err != nil {
		why = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeOwn()
	s.add(kindEnd, func(b []byte) []byte {
		b = binary.AppendUvarint(b, uint64(now))
		return appendText(binary.AppendUvarint(b, uint64(s.dropped)), why)
	})
}
