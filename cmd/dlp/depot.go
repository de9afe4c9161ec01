package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/dlp"
)

// depot is where rank 0 keeps long outputs until it is known what has become of
// their items.
type depot struct {
	runner *run.Runner // makes outputs
	print  func(piece) // of lines

	mu      sync.Mutex
	arrived sync.Cond // something is complete
	parts   map[depotKey]*[2]*run.Output
	whole   map[depotKey]bool
	printed map[depotKey]int // pieces with lines
}

type depotKey struct{ rank, index int }

func newDepot(runner *run.Runner, print func(piece)) *depot {
	d := &depot{
		runner: runner, print: print,
		parts: make(map[depotKey]*[2]*run.Output), whole: make(map[depotKey]bool), printed: make(map[depotKey]int),
	}
	d.arrived.L = &d.mu
	return d
}

// receive takes pieces from other ranks until ctx ends or nobody is left.
func (d *depot) receive(ctx context.Context, comm *dlp.Comm) {
	for {
		p, status, err := dlp.Recv[piece](ctx, comm, dlp.AnySource, tagPiece)
		if err != nil {
			return
		}
		d.take(status.Source, p)
		if p.Kind != pieceLine {
			// If it cannot be told, it is lost, and so is its output.
			_ = dlp.Send(ctx, comm, 0, status.Source, tagAck)
		}
	}
}

// take keeps or prints a piece.
func (d *depot) take(rank int, p piece) {
	key := depotKey{rank, p.Index}
	if p.Kind == pieceLine {
		d.print(p)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.printed[key]++
		d.arrived.Broadcast()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.parts[key] == nil {
		d.parts[key] = &[2]*run.Output{d.runner.Output(), d.runner.Output()}
	}
	if p.Kind == pieceLast {
		d.whole[key] = true
		d.arrived.Broadcast()
		return
	}
	d.parts[key][p.Stream].Write(p.Data)
}

// put keeps an output of rank 0 itself.
func (d *depot) put(key depotKey, out [2]*run.Output) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.parts[key], d.whole[key] = &out, true
}

// depotWait is how long an output may take to arrive behind the report of its
// item. They come over one connection, so it is there or its rank is lost.
const depotWait = 10 * time.Second

var errOutputLost = errors.New("its output was lost with its rank")

// await waits until ok, called with the lock, says that something has arrived.
func (d *depot) await(ok func() bool) bool {
	late := false
	timer := time.AfterFunc(depotWait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		late = true
		d.arrived.Broadcast()
	})
	defer timer.Stop()
	for !ok() && !late {
		d.arrived.Wait()
	}
	return ok()
}

// lines returns when the lines of an item are printed, so many pieces.
func (d *depot) lines(key depotKey, pieces int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer delete(d.printed, key)
	if !d.await(func() bool { return d.printed[key] >= pieces }) {
		return errOutputLost
	}
	return nil
}

// get hands out a complete output; the caller closes it.
func (d *depot) get(key depotKey) ([2]*run.Output, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.await(func() bool { return d.whole[key] }) {
		return [2]*run.Output{d.runner.Output(), d.runner.Output()}, errOutputLost
	}
	out := d.parts[key]
	delete(d.parts, key)
	delete(d.whole, key)
	return *out, errors.Join(out[0].Err(), out[1].Err())
}

// forget lets go of what lost ranks have sent.
func (d *depot) forget(ranks []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, out := range d.parts {
		if !d.whole[key] && slices.Contains(ranks, key.rank) {
			out[0].Close()
			out[1].Close()
			delete(d.parts, key)
		}
	}
}
