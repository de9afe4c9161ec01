package launch

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// tube is a terminal as far as a screen needs one: so many columns and lines,
// a cursor, and the lines that have scrolled away.
type tube struct {
	lines      [][]rune
	away       []string
	row, col   int
	saved      [2]int
	wide, high int
}

func newTube(wide, high int) *tube {
	tube := &tube{wide: wide, high: high}
	for range high {
		tube.lines = append(tube.lines, nil)
	}
	return tube
}

func (t *tube) width() int { return t.wide }

func (t *tube) down() {
	if t.row++; t.row == t.high {
		t.row--
		t.away = append(t.away, string(t.lines[0]))
		t.lines = append(t.lines[1:], nil)
	}
}

func (t *tube) put(r rune) {
	if t.col == t.wide {
		t.col = 0
		t.down()
	}
	for len(t.lines[t.row]) <= t.col {
		t.lines[t.row] = append(t.lines[t.row], ' ')
	}
	t.lines[t.row][t.col] = r
	t.col++
}

// sequences are what a screen may use.
func (t *tube) sequences() map[string]func() {
	return map[string]func(){
		"\x1b[J": func() {
			t.lines[t.row] = t.lines[t.row][:min(t.col, len(t.lines[t.row]))]
			for row := t.row + 1; row < t.high; row++ {
				t.lines[row] = nil
			}
		},
		"\x1bD":  t.down,
		"\x1b[A": func() { t.row = max(0, t.row-1) },
		"\x1b[B": func() { t.row = min(t.high-1, t.row+1) },
		"\x1b7":  func() { t.saved = [2]int{t.row, t.col} },
		"\x1b8":  func() { t.row, t.col = t.saved[0], t.saved[1] },
		"\r":     func() { t.col = 0 },
		"\n":     func() { t.col = 0; t.down() }, // the kernel adds \r
	}
}

func (t *tube) Write(data []byte) (int, error) {
	text := string(data)
next:
	for text != "" {
		for sequence, do := range t.sequences() {
			if rest, ok := strings.CutPrefix(text, sequence); ok {
				do()
				text = rest
				continue next
			}
		}
		for _, r := range text {
			t.put(r)
			text = text[len(string(r)):]
			break
		}
	}
	return len(data), nil
}

// text is what is seen and was seen, without empty lines at the end.
func (t *tube) text() string {
	lines := t.away
	for _, line := range t.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func TestBarStaysBelowTheOutput(t *testing.T) {
	for _, high := range []int{3, 20} { // with and without scrolling
		synctest.Test(t, func(t *testing.T) {
			screen := newTube(20, high)
			m := NewMerger(func(err error) { t.Error(err) })
			m.Bar(screen, screen.width)
			s := m.Stream(screen, "")
			seen := func(want string) {
				t.Helper()
				m.Wait()
				assert.Equal(t, want, screen.text())
			}
			m.SetBar("1/9")
			seen("1/9")
			s.Write([]byte("a\nb\n"))
			seen("a\nb\n1/9")
			m.SetBar("12/9")
			seen("a\nb\n12/9")
			m.SetBar("3/9")
			seen("a\nb\n3/9")
			s.Write([]byte("c..."))
			time.Sleep(showAfter)
			synctest.Wait()
			seen("a\nb\nc...\n3/9")
			m.SetBar("4/9")
			seen("a\nb\nc...\n4/9")
			s.Write([]byte("\rC...."))
			seen("a\nb\nC....\n4/9")
			s.Write([]byte(" ok\nd\n"))
			seen("a\nb\nC.... ok\nd\n4/9")
			m.SetBar("a bar\x1b that is too long")
			seen("a\nb\nC.... ok\nd\na bar? that is too")
			m.SetBar("")
			seen("a\nb\nC.... ok\nd")
			s.Write([]byte("e"))
			s.Close()
			seen("a\nb\nC.... ok\nd\ne")
		})
	}
}

// A line that wraps is left alone.
func TestBarBelowALongLine(t *testing.T) {
	screen := newTube(4, 3)
	m := NewMerger(func(err error) { t.Error(err) })
	m.Bar(screen, screen.width)
	s := m.Stream(screen, "")
	m.SetBar("1/9")
	s.Write([]byte("abcdefghij\n"))
	m.Wait()
	m.SetBar("2/9")
	m.Wait()
	assert.Equal(t, "abcd\nefgh\nij\n2/9", screen.text())
	s.Close()
}
