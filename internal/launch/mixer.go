package launch

import (
	"bytes"
	"io"
	"slices"
	"time"
)

const (
	showAfter = 100 * time.Millisecond // an unfinished line appears
	holdFor   = time.Second            // streams wait for one that is in the middle of a line
	maxShown  = 8 << 10                // bytes of an unfinished line that somebody may watch
	maxHeld   = 1 << 20                // bytes of whole lines that wait for another line's end
	maxLine   = 64 << 20               // bytes of a line before it is cut
)

// mixer decides what is written when; it does no I/O and has no clock.
type mixer struct {
	streams []*source // that have not ended
	inside  *source   // the unfinished line on the destination is its; or nil
	ready   []chunk   // to be written, in this order
}

// chunk is one write.
type chunk struct {
	out  io.Writer
	data []byte
}

// source is one stream of bytes.
type source struct {
	out     io.Writer
	label   string
	pending []byte    // not shown yet
	lines   int       // how much of pending is whole lines
	since   time.Time // when the first byte of pending came
	latest  time.Time // when the last one did
	excused bool      // since was put off, as the process stood still
	cut     bool      // the line that pending begins with was begun on the destination, and cut
	ended   bool
	marker  marker
}

// take adds what a stream has written.
func (m *mixer) take(s *source, data []byte, now time.Time) {
	if len(data) > 0 {
		s.add(data, now)
	}
	m.tick(now)
}

func (s *source) add(data []byte, now time.Time) {
	if len(s.pending) == 0 {
		s.since = now
	}
	s.latest = now
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 {
		s.lines = len(s.pending) + end
	}
	s.pending = append(s.pending, data...)
}

// end says that no more comes of s, and shows what is left.
func (m *mixer) end(s *source, now time.Time) {
	if s.ended {
		return
	}
	s.ended = true
	unfinished := len(s.pending) > s.lines || m.inside == s
	if s.label != "" && unfinished {
		s.add([]byte{'\n'}, now)
	}
	if len(s.pending) > 0 {
		m.show(s)
	}
	m.streams = slices.DeleteFunc(m.streams, func(other *source) bool { return other == s })
	m.tick(now)
}

// tick shows all that is due.
func (m *mixer) tick(now time.Time) {
	for {
		next, at := m.next()
		if next == nil || at.After(now) {
			return
		}
		m.show(next)
	}
}

// stoodStill notes that this process did not run when something was due. The
// ranks have mostly stood still with it, so all that waits does so anew; but once
// only, or nothing would be shown where the processor is never free.
func (m *mixer) stoodStill(now time.Time) {
	for _, s := range m.streams {
		if len(s.pending) > 0 && !s.excused {
			s.since, s.excused = now, true
		}
	}
}

// next returns the stream that is to be shown next, and when.
func (m *mixer) next() (next *source, at time.Time) {
	for _, s := range m.streams {
		if len(s.pending) == 0 {
			continue
		}
		if due := m.due(s); next == nil || due.Before(at) {
			next, at = s, due
		}
	}
	return next, at
}

// due says when what s has is to be shown, if nothing else happens.
func (m *mixer) due(s *source) time.Time {
	whole := s.lines > 0
	switch {
	case m.inside == s || whole && m.free():
		return s.since
	case whole && len(s.pending) > maxHeld || len(s.pending) > maxLine:
		return s.since
	case whole || s.cut && !m.free():
		return s.since.Add(holdFor)
	case len(s.pending) > maxShown:
		return s.latest.Add(time.Hour)
	default:
		return s.since.Add(showAfter)
	}
}

// free says whether nobody will end the line on the destination.
func (m *mixer) free() bool { return m.inside == nil || m.inside.ended }

// show makes all whole lines of s ready, or else its unfinished one. One that
// follows the whole lines is shown with them if it was begun already.
func (m *mixer) show(s *source) {
	begun := m.inside == s || s.ended
	m.leave(s)
	if s.lines > 0 {
		m.emit(s, s.lines)
		m.inside = nil
		if !begun {
			return
		}
	}
	if len(s.pending) > 0 {
		m.emit(s, len(s.pending))
		m.inside = s
	}
}

// leave ends the unfinished line on the destination unless it is that of s.
func (m *mixer) leave(s *source) {
	if m.inside == nil || m.inside == s {
		return
	}
	m.ready = append(m.ready, chunk{m.inside.out, []byte{'\n'}})
	m.inside.cut = true
	m.inside.marker = marker{}
	m.inside = nil
}

// emit makes the first n bytes of what s has ready.
func (m *mixer) emit(s *source, n int) {
	data := s.pending[:n]
	if s.cut { // the newline that ends the line stands there already
		data = bytes.TrimPrefix(data, []byte{'\n'})
	}
	if s.label != "" {
		data = s.marker.mark(data, s.label)
	} else {
		data = bytes.Clone(data)
	}
	if len(data) > 0 {
		m.ready = append(m.ready, chunk{s.out, data})
	}
	rest := s.pending[n:]
	if cap(s.pending) > maxHeld {
		s.pending = bytes.Clone(rest) // one long line must not cost memory for ever
	} else {
		s.pending = append(s.pending[:0], rest...)
	}
	s.lines, s.cut, s.excused = 0, false, false
	s.since = s.latest // of the rest; at most one Write too late
}

// marker puts a label where a stream's output begins a line, or begins it
// again after \r.
type marker struct {
	begun    bool // something stands on the line
	returned bool // the last byte was \r
}

// mark returns data with labels in it.
func (k *marker) mark(data []byte, label string) []byte {
	out := make([]byte, 0, len(data)+(bytes.Count(data, []byte{'\n'})+bytes.Count(data, []byte{'\r'})+1)*len(label))
	for len(data) > 0 {
		if !k.begun || k.returned && data[0] != '\n' {
			out = append(out, label...)
		}
		end := bytes.IndexAny(data, "\r\n") + 1
		if end == 0 {
			end = len(data)
		}
		out = append(out, data[:end]...)
		last := data[end-1]
		k.begun, k.returned = last != '\n', last == '\r'
		data = data[end:]
	}
	return out
}
