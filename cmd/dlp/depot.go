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
	runner *run.Runner                           // makes outputs
	print  func(piece)                           // of lines
	save   func(index int, out [2]content) error // of a complete output; nil: it is kept for get

	mu      sync.Mutex
	arrived sync.Cond // something is complete, or has been taken away
	memory  int       // bytes of all parts
	awaited int       // calls that wait for something to arrive
	parts   map[depotKey]*[2]*run.Output
	whole   map[depotKey]error // of save
	printed map[depotKey]int   // pieces with lines
}

type depotKey struct{ rank, index int }

func newDepot(runner *run.Runner, print func(piece)) *depot {
	d := &depot{
		runner: runner, print: print,
		parts: make(map[depotKey]*[2]*run.Output), whole: make(map[depotKey]error), printed: make(map[depotKey]int),
	}
	d.arrived.L = &d.mu
	return d
}

// depotMemory is how many bytes of output wait in memory for their turn to be
// printed before no more is taken.
const depotMemory = 64 << 20

// room waits until there is some, or what comes next is waited for.
func (d *depot) room(ctx context.Context) {
	wake := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.arrived.Broadcast()
	})
	defer wake()
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.memory > depotMemory && d.awaited == 0 && ctx.Err() == nil {
		d.arrived.Wait()
	}
}

// receive takes pieces from other ranks until ctx ends or nobody is left.
func (d *depot) receive(ctx context.Context, comm *dlp.Comm) {
	for {
		d.room(ctx)
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
	out := d.parts[key]
	if out == nil {
		out = &[2]*run.Output{d.runner.Output(), d.runner.Output()}
		d.parts[key] = out
	}
	before := out[p.Stream].InMemory()
	out[p.Stream].Write(p.Data)
	d.memory += out[p.Stream].InMemory() - before
	d.mu.Unlock()
	if p.Kind == pieceLast {
		d.complete(key, *out)
	}
}

// put keeps an output of rank 0 itself.
func (d *depot) put(ctx context.Context, key depotKey, out [2]*run.Output) {
	d.room(ctx)
	d.mu.Lock()
	d.parts[key] = &out
	d.memory += out[0].InMemory() + out[1].InMemory()
	d.mu.Unlock()
	d.complete(key, out)
}

// complete makes an output available, and before that saves it.
func (d *depot) complete(key depotKey, out [2]*run.Output) {
	err := errors.Join(out[0].Err(), out[1].Err())
	if err == nil && d.save != nil {
		err = d.save(key.index, [2]content{out[0], out[1]})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.whole[key] = err
	d.arrived.Broadcast()
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
	d.awaited++
	d.arrived.Broadcast()
	defer func() { d.awaited-- }()
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
	if !d.await(func() bool { _, whole := d.whole[key]; return whole }) {
		return [2]*run.Output{d.runner.Output(), d.runner.Output()}, errOutputLost
	}
	out, err := *d.parts[key], d.whole[key]
	d.remove(key)
	return out, err
}

// remove takes an output away.
func (d *depot) remove(key depotKey) {
	d.memory -= d.parts[key][0].InMemory() + d.parts[key][1].InMemory()
	delete(d.parts, key)
	delete(d.whole, key)
	d.arrived.Broadcast()
}

// forget lets go of what lost ranks have sent.
func (d *depot) forget(ranks []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, out := range d.parts {
		if _, whole := d.whole[key]; !whole && slices.Contains(ranks, key.rank) {
			d.remove(key)
			out[0].Close()
			out[1].Close()
		}
	}
}
