package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/dlp"
)

// Tags of the messages that carry output.
const (
	tagPiece = 1 // to rank 0
	tagAck   = 2 // from rank 0: a piece is kept, another one may come
	tagEnd   = 3 // from rank 0: end what runs
	tagBusy  = 4 // to rank 0: how many slots work
)

// piece is a part of an item's output on its way to rank 0.
type piece struct {
	Index  int
	Stream int
	Kind   pieceKind
	Label  string // before each line, if lines are printed now
	Data   []byte
}

type pieceKind uint8

const (
	pieceMore pieceKind = iota // of output that is printed when it is complete
	pieceLast                  // its last one, for both streams
	pieceLine                  // whole lines, to be printed now
)

const (
	pieceSize   = 256 << 10 // bytes
	piecesAhead = 4         // that a rank may send before rank 0 has kept them
)

// courier takes the output of a rank's items to rank 0, or where else it goes.
// Long outputs of a rank go one after the other, so that rank 0 need not hold
// more than a few pieces from each rank in memory.
type courier struct {
	*options
	ctx   context.Context // of the whole map: output of an item that has ended goes on its way
	comm  *dlp.Comm       // nil if there is one rank
	rank  int
	depot *depot // of rank 0; else nil

	runner *run.Runner // makes outputs

	mu sync.Mutex // whose turn it is to send a long output
}

// delivery is the output of one item.
type delivery struct {
	courier *courier
	index   int
	label   string
	files   [2]*os.File // of --results-local
	lines   [2]lineCutter
	mu      sync.Mutex // of what follows
	sent    int        // pieces with lines
	err     error      // of one of them
}

// begin says where the process of an item is to write.
func (c *courier) begin(t task, spec *run.Spec) (*delivery, error) {
	d := &delivery{courier: c, index: t.Index, label: c.label(t)}
	switch {
	case c.resultsLocal != "":
		for i, suffix := range resultSuffixes {
			file, err := os.Create(filepath.Join(c.resultsLocal, strconv.Itoa(t.Index+1)+suffix))
			if err != nil {
				d.drop(nil)
				return nil, err
			}
			d.files[i], spec.Files[i] = file, file
		}
	case c.lineBuffer:
		spec.Tap = func(stream int, data []byte) { d.send(stream, d.lines[stream].add(data)) }
	}
	return d, nil
}

// resultSuffixes are those of the files that keep stdout and stderr.
var resultSuffixes = [2]string{".out", ".err"}

// send sends whole lines.
func (d *delivery) send(stream int, lines []byte) {
	if len(lines) == 0 {
		return
	}
	d.mu.Lock() // also for the order of the lines
	defer d.mu.Unlock()
	d.sent++
	err := d.courier.post(piece{Index: d.index, Stream: stream, Kind: pieceLine, Label: d.label, Data: lines})
	if d.err == nil {
		d.err = err
	}
}

// end takes the output of a process that has ended on its way.
func (d *delivery) end(r *report, result *run.Result) error {
	defer d.drop(result)
	c := d.courier
	switch {
	case c.resultsLocal != "":
		return nil
	case c.lineBuffer:
		for i := range d.lines {
			d.send(i, d.lines[i].rest())
		}
		r.Lines = d.sent
		return d.err
	}
	out, small := result.Out[0].Bytes()
	errOut, alsoSmall := result.Out[1].Bytes()
	if small && alsoSmall && c.journal == "" { // which is to be small
		r.Output = [2][]byte{out, errOut}
		return nil
	}
	if result.Out[0].Size()+result.Out[1].Size() == 0 {
		return nil
	}
	r.Apart = true
	if c.depot != nil {
		c.depot.put(c.ctx, depotKey{c.rank, d.index}, result.Out)
		result.Out = [2]*run.Output{{}, {}} // it is the depot's now
		return nil
	}
	return c.ship(d.index, result.Out)
}

// text takes output that is in a report already on another way, if that is not to
// be kept in a journal.
func (c *courier) text(r *report) error {
	if c.journal == "" || len(r.Output[0]) == 0 {
		return nil
	}
	out := [2]*run.Output{c.runner.Output(), c.runner.Output()}
	out[0].Write(r.Output[0])
	r.Output, r.Apart = [2][]byte{}, true
	if c.depot != nil {
		c.depot.put(c.ctx, depotKey{c.rank, r.Index}, out)
		return nil
	}
	defer out[0].Close()
	return c.ship(r.Index, out)
}

// drop lets go of everything.
func (d *delivery) drop(result *run.Result) {
	for _, file := range d.files {
		if file != nil {
			file.Close()
		}
	}
	if result != nil {
		result.Close()
	}
}

// post sends a piece, or keeps it on rank 0.
func (c *courier) post(p piece) error {
	if c.depot != nil {
		c.depot.take(c.rank, p)
		return nil
	}
	return dlp.Send(c.ctx, c.comm, p, 0, tagPiece)
}

// ship sends a long output.
func (c *courier) ship(index int, out [2]*run.Output) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ahead := 0
	send := func(p piece) error {
		if ahead == piecesAhead {
			if _, _, err := dlp.Recv[int](c.ctx, c.comm, 0, tagAck); err != nil {
				return err
			}
			ahead--
		}
		ahead++
		return c.post(p)
	}
	buffer := make([]byte, pieceSize)
	for stream, o := range out {
		for offset := int64(0); offset < o.Size(); {
			n, err := o.ReadAt(buffer, offset)
			if n == 0 {
				return err
			}
			offset += int64(n)
			if err := send(piece{Index: index, Stream: stream, Kind: pieceMore, Data: buffer[:n]}); err != nil {
				return err
			}
		}
	}
	if err := send(piece{Index: index, Kind: pieceLast}); err != nil {
		return err
	}
	for ; ahead > 0; ahead-- {
		if _, _, err := dlp.Recv[int](c.ctx, c.comm, 0, tagAck); err != nil {
			return err
		}
	}
	return nil
}
