package launch

import (
	"io"
	"strings"
	"unicode"
)

// Bar makes m keep a line of text below its output, which out shows: a
// terminal, and where the streams' output goes as well. width returns how many
// columns it has. The text is set by SetBar. Bar is called before any output.
func (m *Merger) Bar(out io.Writer, width func() int) {
	m.bar = &bar{screen: &screen{out: out, width: width, fresh: true}}
}

// SetBar shows text below the output from now on, or nothing if it is empty.
// It does not wait, and has no effect where Bar was not called.
func (m *Merger) SetBar(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil && text != m.bar.text {
		m.bar.text, m.bar.changed = text, true
		m.kick()
	}
}

// bar is the text that a screen is to show.
type bar struct {
	screen  *screen
	text    string
	changed bool
}

// stale says whether the screen does not show the text yet.
func (b *bar) stale() bool { return b != nil && b.changed }

// take returns the screen with the text that it is to show from now on.
func (b *bar) take() *screen {
	if b == nil {
		return nil
	}
	b.changed = false
	b.screen.text = b.text
	return b.screen
}

// writeBatch writes the chunks, each in one call, and then shows the text of s
// if that is not nil. wrote is told how much was written.
func writeBatch(batch []chunk, s *screen, wrote func(int)) error {
	for i, c := range batch {
		data := c.data
		if s != nil {
			data = s.around(c.data, i == len(batch)-1)
		}
		if _, err := c.out.Write(data); err != nil {
			return err
		}
		wrote(len(c.data))
	}
	if s == nil || len(batch) > 0 {
		return nil
	}
	_, err := s.out.Write(s.around(nil, true))
	return err
}

// Control sequences, ECMA-48 and DEC's ESC 7 and ESC 8; every terminal since
// the VT100 knows them.
const (
	eraseBelow   = "\x1b[J" // from the cursor to the end of the screen
	makeRoom     = "\x1bD\x1b[A"
	saveCursor   = "\x1b7"
	lineBelow    = "\x1b[B\r"
	returnCursor = "\x1b8"
)

// screen is a terminal whose cursor is where output goes on, with a line of
// text on the cursor's own line if nothing stands there, else on the one
// below. So the text can be erased from wherever the cursor is, and output
// needs not be understood.
type screen struct {
	out   io.Writer
	width func() int
	text  string
	drawn bool // a text is on the screen
	fresh bool // the cursor is at the beginning of an empty line
}

// around returns what writes data where the output is, and shows the text
// again if last is set.
func (s *screen) around(data []byte, last bool) []byte {
	var b strings.Builder
	if s.drawn {
		b.WriteString(eraseBelow)
		s.drawn = false
	}
	b.Write(data)
	if len(data) > 0 {
		s.fresh = data[len(data)-1] == '\n'
	}
	if text := s.fit(); last && text != "" {
		s.drawn = true
		if s.fresh {
			b.WriteString(text + "\r")
		} else {
			b.WriteString(makeRoom + saveCursor + lineBelow + text + returnCursor)
		}
	}
	return []byte(b.String())
}

// fit returns the text as far as it fits into a line, its last column left
// free: there some terminals begin a new line.
func (s *screen) fit() string {
	room := s.width() - 1
	var b strings.Builder
	for _, r := range s.text {
		if !unicode.IsPrint(r) {
			r = '?'
		}
		if room--; room < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
