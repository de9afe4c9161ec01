package launch

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// maxQueued is how many bytes wait for a slow destination before the streams
// have to wait too.
const maxQueued = 1 << 20

// Merger brings the output of many streams into one destination; the package
// comment has its rules. Its methods may be called at the same time.
type Merger struct {
	onError func(error)

	mu      sync.Mutex
	changed sync.Cond // the queue has become shorter
	mixer   mixer
	timer   *time.Timer
	due     time.Time // when it fires; zero: never
	queue   []chunk
	queued  int  // bytes in queue
	writing bool // a goroutine writes the queue
	failed  bool // the destination takes no more
	bar     *bar // nil: the destination is no terminal
}

// NewMerger returns a Merger without streams. onError is called once, with the
// first error of the destination; what comes later is dropped.
func NewMerger(onError func(error)) *Merger {
	m := &Merger{onError: onError}
	m.changed.L = &m.mu
	m.timer = time.AfterFunc(time.Hour, m.tick)
	m.timer.Stop()
	return m
}

// Stream is one source of lines.
type Stream struct {
	to      *Merger
	source  source
	patient bool // its Write waits for a slow destination
}

// Stream adds a source whose lines go to out, with label before each of them.
// Its Write waits as long as the destination does.
func (m *Merger) Stream(out io.Writer, label string) *Stream {
	return m.add(&Stream{to: m, source: source{out: out, label: label}, patient: true})
}

// Notices adds a source for the few lines of the launcher itself, whose Write
// never waits: who must end a job may not be held up by its output.
func (m *Merger) Notices(out io.Writer) *Stream {
	return m.add(&Stream{to: m, source: source{out: out}})
}

func (m *Merger) add(s *Stream) *Stream {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mixer.streams = append(m.mixer.streams, &s.source)
	return s
}

// Label is what srun -l puts before a line: the rank, as wide as the last one.
func Label(rank, size int) string {
	return fmt.Sprintf("%*d: ", len(fmt.Sprint(size-1)), rank)
}

// Write takes output as it comes. It never fails: what the destination does
// not take is dropped.
func (s *Stream) Write(data []byte) (int, error) {
	m := s.to
	m.mu.Lock()
	defer m.mu.Unlock()
	for s.patient && m.queued > maxQueued {
		m.changed.Wait()
	}
	m.mixer.take(&s.source, data, m.now())
	m.advance()
	return len(data), nil
}

// Close says that no more comes and shows what is left. It does not wait.
func (s *Stream) Close() error {
	m := s.to
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mixer.end(&s.source, m.now())
	m.advance()
	return nil
}

// Wait returns when the destination has taken all that is ready for it.
func (m *Merger) Wait() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.writing {
		m.changed.Wait()
	}
}

func (m *Merger) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mixer.tick(m.now())
	m.advance()
}

// advance has what is ready written, and sets the timer for what is due next.
// The caller holds m.mu.
func (m *Merger) advance() {
	if !m.failed {
		for _, c := range m.mixer.ready {
			m.queue = append(m.queue, c)
			m.queued += len(c.data)
		}
	}
	m.mixer.ready = nil
	m.kick()
	next, at := m.mixer.next()
	m.due = at
	if next == nil {
		m.timer.Stop()
	} else {
		m.timer.Reset(time.Until(at))
	}
}

// tolerance is how late the timer may be before this process is taken to have
// stood still: stopped, throttled, or on a machine that was.
const tolerance = 20 * time.Millisecond

// now returns the time, of which the mixer learns if it has passed without this
// process. The caller holds m.mu.
func (m *Merger) now() time.Time {
	now := time.Now()
	if !m.due.IsZero() && now.Sub(m.due) > tolerance {
		m.mixer.stoodStill(now)
	}
	return now
}

// kick starts a writer if there is something to write. The caller holds m.mu.
func (m *Merger) kick() {
	if !m.writing && !m.failed && (len(m.queue) > 0 || m.bar.stale()) {
		m.writing = true
		go m.write()
	}
}

// write writes until the queue is empty. It holds no lock while it writes, for
// a destination may block it for ever.
func (m *Merger) write() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.failed && (len(m.queue) > 0 || m.bar.stale()) {
		batch := m.queue
		m.queue = nil
		bar := m.bar.take()
		m.mu.Unlock()
		err := writeBatch(batch, bar, m.wrote)
		m.mu.Lock()
		if err != nil {
			m.failed = true
			m.queue, m.queued = nil, 0
			m.onError(err)
		}
	}
	m.writing = false
	m.changed.Broadcast()
}

// wrote says that n bytes of the queue are with the destination.
func (m *Merger) wrote(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queued -= n
	m.changed.Broadcast()
}
