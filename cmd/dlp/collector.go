package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// collector is rank 0's side of the map: it takes what has become of the items.
type collector struct {
	*options
	world   *dlp.Comm
	feeder  *feeder
	printer *printer
	depot   *depot
	order   *sequencer // nil: as it comes
	log     *joblog
	list    *failedList
	notes   notes
	tally   tally
	usable  *usable
	slots   int // of all ranks
	busy    *busy
}

// openCollector opens what rank 0 reads and writes.
func openCollector(o *options, world *dlp.Comm, runner *run.Runner, spool string, stop <-chan struct{}) (c *collector, err error) {
	c = &collector{options: o, world: world, printer: newPrinter(), tally: tally{begin: time.Now()}}
	c.depot = newDepot(runner, c.printLines)
	c.usable = newUsable(world.Size(), c.printer.say)
	if o.results != "" {
		if err := os.MkdirAll(o.results, 0o777); err != nil {
			return nil, fmt.Errorf("--results: %w", err)
		}
	}
	if o.source.Stdin() && launch.IsTerminal(os.Stdin) {
		c.printer.say("items are read from this terminal, one a line; Ctrl-D ends them")
	}
	if c.feeder, err = newFeeder(o, world.Size() > 1, stop); err != nil {
		return nil, err
	}
	if c.log, err = openJoblog(o.joblog); err != nil {
		return nil, err
	}
	if c.list, err = openFailed(o); err != nil {
		return nil, err
	}
	if o.drawn() {
		if err := writeWhole(o.timeline, func(io.Writer) error { return nil }); err != nil { // better now than at the end
			return nil, fmt.Errorf("--timeline: %w", err)
		}
	}
	if o.results != "" {
		c.depot.save = c.save // before the item counts as done
	}
	if o.keepOrder {
		c.order = newSequencer(spool, c.keep)
	}
	return c, nil
}

// printLines prints lines as they come.
func (c *collector) printLines(p piece) { c.printer.lines(p.Label, p.Stream, p.Data) }

// take takes one result of the loop. An error is why the map cannot go on.
func (c *collector) take(result dlp.Result[report]) error {
	r := result.Value
	if result.Err != nil {
		if errors.Is(result.Err, context.Canceled) {
			c.feeder.finished(result.Index, true)
			c.tally.interrupted++
			return nil
		}
		r = report{Status: statusFailed, Note: cause(result.Err), Started: time.Now().UnixNano()}
	}
	t := c.feeder.task(result.Index)
	r.Index = t.Index
	host := c.host(result.Rank)
	if again, err := c.usable.judge(&r, result.Rank, host, c.world.Lost()); err != nil || again {
		c.feeder.giveBack(result.Index)
		return err
	}
	// Its output is kept before an item behind a barrier may look for it.
	defer func() { c.feeder.finished(result.Index, r.failed()) }()
	if result.Resumed {
		return c.takeResumed(t, &r, result.Rank)
	}
	f, err := c.open(t, &r, result.Rank)
	if err != nil {
		r.Note, r.Status = err.Error(), statusFailed
	}
	c.tally.add(t, &r, result.Rank, host)
	if c.timeline != "" {
		c.notes.add(t, &r)
	}
	err = c.log.add(&r, host, c.line(t, r.Slot))
	if r.failed() {
		err = errors.Join(err, c.list.add(t))
	}
	if c.order != nil {
		return errors.Join(err, c.order.add(f))
	}
	return errors.Join(err, c.keep(f))
}

// cause is the text of an error without the number of the item.
func cause(err error) string {
	var item *dlp.ItemError
	if errors.As(err, &item) {
		return item.Err.Error()
	}
	return err.Error()
}

func (c *collector) host(rank int) string { return c.world.Info().Peers[rank].Host }

// open returns the output of an item.
func (c *collector) open(t task, r *report, rank int) (finished, error) {
	f := finished{index: t.Index, label: c.label(t), done: func() {}}
	if r.Lines > 0 {
		return f, errors.Join(c.depot.lines(depotKey{rank, r.Index}, r.Lines), c.printer.failure())
	}
	if !r.Apart {
		for i, data := range r.Output {
			if len(data) > 0 {
				f.streams[i] = bytes.NewReader(data)
			}
		}
		return f, nil
	}
	out, err := c.depot.get(depotKey{rank, r.Index})
	f.done = func() { out[0].Close(); out[1].Close() }
	if c.depot.save == nil {
		f.streams = [2]content{out[0], out[1]}
	}
	return f, err
}

// takeResumed takes what an earlier start has done.
func (c *collector) takeResumed(t task, r *report, rank int) error {
	c.tally.resume(t, r, rank)
	var err error
	if r.failed() {
		err = c.list.add(t)
	}
	if c.order != nil {
		err = errors.Join(err, c.order.add(finished{index: t.Index, done: func() {}}))
	}
	return err
}

// keep prints the output of an item, or writes it to its files.
func (c *collector) keep(f finished) error {
	defer f.done()
	if c.results == "" {
		return c.printer.item(f.label, f.streams)
	}
	if c.depot.save != nil && f.streams == [2]content{} {
		return nil
	}
	return c.save(f.index, f.streams)
}

// save writes the files of an item.
func (c *collector) save(index int, streams [2]content) error {
	for i, stream := range streams {
		if stream == nil || stream.Size() == 0 {
			continue
		}
		path := filepath.Join(c.results, strconv.Itoa(index+1)+resultSuffixes[i])
		if err := writeWhole(path, func(w io.Writer) error { return copyTo(w, stream) }); err != nil {
			return fmt.Errorf("--results: %w", err)
		}
	}
	return nil
}

// close ends all files, when no more comes.
func (c *collector) close() error {
	var errs []error
	if c.order != nil {
		errs = append(errs, c.order.rest())
		c.order.close()
	}
	errs = append(errs, c.log.close(), c.list.close(), c.feeder.close.Close(), c.drawTimeline())
	return errors.Join(errs...)
}
