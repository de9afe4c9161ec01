package draw

import (
	"bufio"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

//go:embed page.html
var pageText string

//go:embed picture.js
var pictureScript string

//go:embed page.js
var pageScript string

// dataMark is what the loops take the place of in the page, and scriptMark the
// program.
const (
	dataMark   = "{{data}}"
	scriptMark = "{{script}}"
)

// mostNotes bounds how many notes about items the page has: of failed ones first.
const mostNotes = 10000

// pageData is what the page's program gets, in JSON.
type pageData struct {
	States []appearance `json:"states"`
	Loops  []pageLoop   `json:"loops"`
}

// pageLoop is a loop as the page draws it. Times are in seconds.
type pageLoop struct {
	Title   string         `json:"title"`
	Began   int64          `json:"began"` // ms since 1970
	Elapsed float64        `json:"elapsed"`
	Ended   bool           `json:"ended"`
	Err     string         `json:"err"`
	Dropped int            `json:"dropped"`
	Numbers string         `json:"numbers"`
	Summary *Summary       `json:"summary"`
	Rows    []pageRow      `json:"rows"`
	Longest []pageItem     `json:"longest"`
	Losses  []pageLoss     `json:"losses"`
	Notes   map[int]string `json:"notes"`
	Count   int            `json:"count"`   // of records
	Records jsonRecords    `json:"records"` // of all rows, one behind the other
}

type pageRow struct {
	Name  string `json:"name"`
	Body  bool   `json:"body"`
	Count int    `json:"count"` // of its records
}

type pageItem struct {
	Index int     `json:"index"`
	Row   int     `json:"row"`
	Start float64 `json:"start"`
	Took  float64 `json:"took"`
}

type pageLoss struct {
	Rank int     `json:"rank"`
	At   float64 `json:"at"`
	Why  string  `json:"why"`
}

// jsonRecords are columns, little endian: of all records the start (8 bytes, a
// float of seconds), how long it took (4 bytes, a float of seconds), the index (4
// bytes), the state (1 byte). It is base64 in JSON.
type jsonRecords []Row

// MarshalJSON implements json.Marshaler.
func (rows jsonRecords) MarshalJSON() ([]byte, error) {
	var start, took, index, state []byte
	for i := range rows {
		for _, r := range rows[i].Records {
			start = binary.LittleEndian.AppendUint64(start, math.Float64bits(r.Start.Seconds()))
			took = binary.LittleEndian.AppendUint32(took, math.Float32bits(float32(r.Took.Seconds())))
			index = binary.LittleEndian.AppendUint32(index, uint32(r.Index))
			state = append(state, byte(r.State))
		}
	}
	all := slices.Concat(start, took, index, state)
	b := make([]byte, 0, base64.StdEncoding.EncodedLen(len(all))+2)
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, all)
	return append(b, '"'), nil
}

// Page writes a page that draws loops in a browser. It is one file, and loads
// nothing.
func Page(to io.Writer, loops []*timeline.Loop) error {
	w := bufio.NewWriter(to)
	text := strings.Replace(pageText, scriptMark, pictureScript+pageScript, 1)
	before, after, _ := strings.Cut(text, dataMark)
	w.WriteString(before)
	all := pageData{appearances, make([]pageLoop, len(loops))}
	for i, l := range loops {
		all.Loops[i] = pageOf(l)
	}
	// JSON of this encoder has no <, so no text can end the script.
	if err := json.NewEncoder(w).Encode(all); err != nil {
		return err
	}
	w.WriteString(after)
	return w.Flush()
}

func pageOf(l *timeline.Loop) pageLoop {
	rows := Rows(l)
	s := Summarize(l, rows)
	p := pageLoop{
		Title: Title(l), Began: l.Began.UnixMilli(), Elapsed: l.Elapsed.Seconds(), Ended: l.Ended, Err: l.Err, Dropped: l.Dropped,
		Numbers: s.Numbers(), Summary: s, Rows: []pageRow{}, Longest: []pageItem{}, Losses: []pageLoss{}, Notes: notes(l), Records: rows,
	}
	for i := range rows {
		r := &rows[i]
		p.Rows = append(p.Rows, pageRow{r.Name(l.Ranks[r.Rank].Slots), r.Body, len(r.Records)})
		p.Count += len(r.Records)
	}
	for _, r := range s.Longest {
		row := slices.IndexFunc(rows, func(row Row) bool { return !row.Body && row.Rank == int(r.Rank) && row.Slot == int(r.Slot) })
		p.Longest = append(p.Longest, pageItem{r.Index, row, r.Start.Seconds(), r.Took.Seconds()})
	}
	for _, loss := range l.Losses {
		p.Losses = append(p.Losses, pageLoss{loss.Rank, loss.At.Seconds(), loss.Why})
	}
	return p
}

// notes are those that the page has.
func notes(l *timeline.Loop) map[int]string {
	kept := make(map[int]string)
	for _, failed := range []bool{true, false} {
		for _, index := range slices.Sorted(maps.Keys(l.Notes)) {
			if n := l.Notes[index]; n.Failed == failed && len(kept) < mostNotes {
				kept[index] = n.Text
			}
		}
	}
	return kept
}
