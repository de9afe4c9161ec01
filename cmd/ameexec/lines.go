package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// merger brings the output of many streams into one place, line by line: a
// line of one stream never stands inside a line of another, and is handed over
// in one write.
//
// An unfinished line (a prompt, a progress bar) waits for its end. After
// flushAfter without a further byte it is written as it is, if no other
// stream is in the middle of a line; that stream is then in the middle, and
// the others wait until it ends its line. They wait no longer than holdFor, or
// until maxHeld bytes are waiting: then a newline cuts the unfinished line
// where it is. With labels an unfinished line is never written before its end.
//
// A last line without newline stays so; the newline comes if another line
// follows, and always with labels. A line longer than maxLine is cut.
type merger struct {
	mu      sync.Mutex
	streams []*stream
	inside  *stream // the unfinished line on the destination is its; or nil
	timer   *time.Timer
	failed  bool
	onError func(error) // called once, when the destination takes no more
}

// stream is one source of lines.
type stream struct {
	to       *merger
	out      io.Writer
	label    string
	pending  []byte    // not written yet
	lines    int       // how much of pending is whole lines
	unbroken time.Time // when pending last grew
	waiting  time.Time // since when lines > 0
	ended    bool
}

const (
	flushAfter = 200 * time.Millisecond
	holdFor    = 2 * time.Second
	maxHeld    = 1 << 20
	maxLine    = 64 << 20
)

func newMerger(onError func(error)) *merger {
	m := &merger{onError: onError}
	m.timer = time.AfterFunc(time.Hour, m.tick)
	m.timer.Stop()
	return m
}

// stream adds a source whose lines go to out; label may be empty.
func (m *merger) stream(out io.Writer, label string) *stream {
	s := &stream{to: m, out: out, label: label}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams = append(m.streams, s)
	return s
}

// label is what srun -l puts before a line: the rank, as wide as the last one.
func label(rank, size int) string {
	return fmt.Sprintf("%*d: ", len(fmt.Sprint(size-1)), rank)
}

// Write takes output as it comes. It blocks as long as the destination does.
// It never fails: what the destination does not take is dropped.
func (s *stream) Write(data []byte) (int, error) {
	m := s.to
	m.mu.Lock()
	defer m.mu.Unlock()
	s.take(data)
	m.advance(s)
	return len(data), nil
}

func (s *stream) take(data []byte) {
	now := time.Now()
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 {
		if s.lines == 0 {
			s.waiting = now
		}
		s.lines = len(s.pending) + end
	}
	s.pending = append(s.pending, data...)
	s.unbroken = now
}

// Close says that no more comes and writes what is left.
func (s *stream) Close() error {
	m := s.to
	m.mu.Lock()
	defer m.mu.Unlock()
	s.ended = true
	if s.label != "" && len(s.pending) > s.lines {
		s.take([]byte{'\n'})
	}
	m.advance(s)
	if rest := len(s.pending); rest > 0 {
		whole := rest == s.lines
		m.cutUnless(s)
		m.emit(s, rest)
		if m.inside = s; whole {
			m.inside = nil
		}
		m.release()
		m.schedule()
	}
	return nil
}

// advance writes what s may write now and lets the others follow.
func (m *merger) advance(s *stream) {
	switch {
	case m.inside == s || m.free():
		m.write(s)
	case s.lines > 0 && len(s.pending) > maxHeld || len(s.pending) > maxLine:
		m.cut()
		m.write(s)
	}
	if m.inside == nil {
		m.release()
	}
	m.schedule()
}

// free says whether nobody will end the line on the destination.
func (m *merger) free() bool { return m.inside == nil || m.inside.ended }

// write writes the whole lines of s, and its unfinished one if that has begun
// already or has become too long.
func (m *merger) write(s *stream) {
	if s.lines > 0 {
		m.cutUnless(s)
		m.emit(s, s.lines)
		m.inside = nil
	}
	rest := len(s.pending)
	switch {
	case rest == 0:
	case s.label != "" && rest > maxLine:
		m.emit(s, rest)
		m.inside = s
		m.cut()
	case s.label == "" && (m.inside == s || rest > maxLine):
		m.cutUnless(s)
		m.emit(s, rest)
		m.inside = s
	}
}

// release writes the lines that waited for the end of another one.
func (m *merger) release() {
	for _, s := range m.streams {
		if s.lines > 0 {
			m.emit(s, s.lines)
		}
	}
}

// cut ends the unfinished line on the destination; cutUnless does if it is not
// that of s.
func (m *merger) cut() {
	if m.inside != nil {
		m.put(m.inside.out, []byte{'\n'})
		m.inside = nil
	}
}

func (m *merger) cutUnless(s *stream) {
	if m.inside != s {
		m.cut()
	}
}

// emit writes the first n bytes of what s has, with its label.
func (m *merger) emit(s *stream, n int) {
	data := s.pending[:n]
	if s.label != "" {
		data = labelled(data, s.label)
	}
	m.put(s.out, data)
	s.pending = append(s.pending[:0], s.pending[n:]...)
	if cap(s.pending) > maxHeld {
		s.pending = bytes.Clone(s.pending) // one long line must not cost memory for ever
	}
	s.lines = 0
}

// labelled returns data with label before each line.
func labelled(data []byte, label string) []byte {
	out := make([]byte, 0, len(data)+(bytes.Count(data, []byte{'\n'})+1)*len(label))
	for line := range bytes.Lines(data) {
		out = append(out, label...)
		out = append(out, line...)
	}
	return out
}

func (m *merger) put(out io.Writer, data []byte) {
	if m.failed {
		return
	}
	if _, err := out.Write(data); err != nil {
		m.failed = true
		m.onError(err)
	}
}

// schedule sets the timer for the next thing that waits.
func (m *merger) schedule() {
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, s := range m.streams {
		switch {
		case s.lines > 0:
			earlier(s.waiting.Add(holdFor))
		case len(s.pending) > 0 && s.label == "" && m.free():
			earlier(s.unbroken.Add(flushAfter))
		}
	}
	if next.IsZero() {
		m.timer.Stop()
		return
	}
	m.timer.Reset(time.Until(next))
}

// tick does what has waited long enough.
func (m *merger) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, s := range m.streams {
		if s.lines > 0 && now.Sub(s.waiting) >= holdFor {
			m.cut()
			m.release()
			break
		}
	}
	for _, s := range m.streams {
		if m.free() && s.label == "" && len(s.pending) > 0 && now.Sub(s.unbroken) >= flushAfter {
			m.cut()
			m.emit(s, len(s.pending))
			m.inside = s
		}
	}
	m.schedule()
}
