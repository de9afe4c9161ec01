package draw

import (
	"bufio"
	"cmp"
	"fmt"
	"html"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Measures of the still picture, in pixels.
const (
	svgLeft   = 110 // of the bars
	svgWidth  = 800 // of the bars
	svgTop    = 55
	svgRow    = 18 // at most; of many rows less
	svgHeight = 900
	svgBottom = 30
)

// SVG draws a loop as a still picture, in which the width of the whole is for the
// loop's time. Bars narrower than a pixel are drawn together, as dark as they
// fill it.
func SVG(to io.Writer, l *timeline.Loop) error {
	rows := Rows(l)
	s := Summarize(l, rows)
	each := min(svgRow, max(1, float64(svgHeight)/float64(max(1, len(rows)))))
	bottom := svgTop + each*float64(len(rows))
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="11">`+"\n",
		svgLeft+svgWidth+20, bottom+svgBottom)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(w, `<text x="10" y="16" font-size="13" font-weight="bold">%s</text>`+"\n", html.EscapeString(Title(l)))
	fmt.Fprintf(w, `<text x="10" y="31" fill="#444">%s</text>`+"\n", html.EscapeString(s.Numbers()))
	fmt.Fprintf(w, `<text x="10" y="46" fill="#444">%s</text>`+"\n", html.EscapeString(s.Limit))
	for i := range rows {
		drawRow(w, &rows[i], l, svgTop+each*float64(i), each)
	}
	drawKey(w, rows)
	for tick := range ticks(l.Elapsed) {
		x := svgLeft + svgWidth*tick.Seconds()/l.Elapsed.Seconds()
		fmt.Fprintf(w, `<path d="M%.1f %.1fv5" stroke="#444"/><text x="%.1f" y="%.1f" text-anchor="middle" fill="#444">%v</text>`+"\n", x, bottom, x, bottom+18, tick)
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// drawKey says what the colours mean that there are.
func drawKey(w io.Writer, rows []Row) {
	there := make([]bool, len(appearances))
	for i := range rows {
		for _, r := range rows[i].Records {
			there[r.State] = true
		}
	}
	x := svgLeft + svgWidth
	for state := len(there) - 1; state >= 0; state-- {
		if there[state] {
			as := &appearances[state]
			x -= 7*len(as.Name) + 20
			fmt.Fprintf(w, `<rect x="%d" y="8" width="9" height="9" fill="%s"/><text x="%d" y="16" fill="#444">%s</text>`+"\n", x, as.Colour, x+13, as.Name)
		}
	}
}

func drawRow(w io.Writer, row *Row, l *timeline.Loop, y, height float64) {
	fmt.Fprintf(w, `<g transform="translate(0 %.1f)">`+"\n", y)
	if height >= 9 {
		name := []rune(row.Name(l.Ranks[row.Rank].Slots))
		fmt.Fprintf(w, `<text x="10" y="%.1f" fill="#444">%s</text>`+"\n", height*0.7, html.EscapeString(string(name[:min(len(name), 16)])))
	}
	if height >= 4 {
		height-- // a line of white between two
	}
	fmt.Fprintf(w, `<rect x="%d" width="%d" height="%.1f" fill="#f5f5f5"/>`+"\n", svgLeft, svgWidth, height)
	pixel := max(l.Elapsed, 1).Seconds() / svgWidth
	bars := bars{height: height, paths: map[look][]byte{}}
	var thin column
	for _, r := range row.Records {
		left, width := r.Start.Seconds()/pixel, r.Took.Seconds()/pixel
		if width >= 1 {
			bars.add(look{r.State, shades}, left, max(0.7, width-0.5))
			continue
		}
		if int(left) != thin.at {
			bars.addColumn(&thin)
			thin.at = int(left)
		}
		thin.add(r.State, width)
	}
	bars.addColumn(&thin)
	bars.draw(w)
	fmt.Fprintln(w, "</g>")
}

// column is a pixel's width of bars that are narrower.
type column struct {
	at     int
	count  int // of bars, of which each may take no time at all
	filled float64
	state  timeline.State // the worst one
}

func (c *column) empty() bool { return c.count == 0 }

func (c *column) add(s timeline.State, width float64) {
	if c.empty() || appearances[s].Severity > appearances[c.state].Severity {
		c.state = s
	}
	c.filled += width
	c.count++
}

// look is a colour, and how dark it is: of shades.
type look struct {
	state timeline.State
	shade int
}

const shades = 10

// bars are those of a row, by look.
type bars struct {
	height float64
	paths  map[look][]byte
}

func (b *bars) add(as look, left, width float64) {
	b.paths[as] = fmt.Appendf(b.paths[as], "M%.1f 0h%.1fv%.1fh-%.1fz", svgLeft+left, width, b.height, width)
}

// addColumn adds what has come together in a column, and empties it.
func (b *bars) addColumn(c *column) {
	if c.empty() {
		return
	}
	as := look{c.state, max(1, int(math.Ceil(shades*min(1, c.filled))))}
	if appearances[c.state].Severity == wrong {
		as.shade = shades // is to be seen
	}
	b.add(as, float64(c.at), 1)
	c.count, c.filled = 0, 0
}

func (b *bars) draw(w io.Writer) {
	for _, as := range slices.SortedFunc(maps.Keys(b.paths), func(a, b look) int {
		return cmp.Or(cmp.Compare(a.state, b.state), cmp.Compare(a.shade, b.shade))
	}) {
		opacity := ""
		if as.shade < shades {
			opacity = fmt.Sprintf(` fill-opacity=".%d"`, as.shade)
		}
		fmt.Fprintf(w, `<path d="%s" fill="%s"%s/>`+"\n", b.paths[as], appearances[as.state].Colour, opacity)
	}
}

// ticks are round times, at most ten of a duration.
func ticks(d time.Duration) func(yield func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		if d <= 0 {
			return
		}
		step := math.Pow10(int(math.Floor(math.Log10(float64(d) / 5))))
		for _, times := range []float64{1, 2, 5, 10} {
			if float64(d)/(step*times) <= 10 {
				step *= times
				break
			}
		}
		for t := time.Duration(0); t <= d; t += time.Duration(step) {
			if !yield(t) {
				return
			}
		}
	}
}
