// Pictures draws the pictures of loops that the README shows, from runs of its
// own: `make pictures`. All loops have the same items, which sleep: mostly for 20
// to 60 ms, and a few for 200, so that the pictures look the same on any machine.
package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/internal/timeline"
	"github.com/dlp-mpi/dlp-go/internal/timeline/draw"
)

func main() { dlp.Main(run) }

// run draws all of them in the folder that the command line names, on rank 0.
func run(ctx context.Context, world *dlp.Comm) error {
	if len(os.Args) != 2 {
		return errors.New("usage: ameexec -n 4 pictures FOLDER")
	}
	items := durations()
	d := drawer{world, os.Args[1]}
	mine := func(yield func(int) bool) { // rank 0 has all
		for i := range items {
			if !world.IsRoot() || !yield(i) {
				return
			}
		}
	}
	shared := func(yield func(int) bool) {
		for i := range dlp.SplitRoundRobin(world, indices(items)) {
			if !yield(i) {
				return
			}
		}
	}
	return errors.Join(
		d.byHand(ctx, "serial", items, mine),
		d.byHand(ctx, "round robin", items, shared),
		d.recorded("managed", func(record dlp.LoopOption) error {
			for i, err := range dlp.SplitManaged(ctx, world, indices(items), record) {
				if err != nil {
					return err
				}
				time.Sleep(items[i])
			}
			return nil
		}),
		d.recorded("map", func(record dlp.LoopOption) error {
			for _, err := range dlp.MapUnordered(ctx, world, indices(items), func(_ context.Context, i int) (int, error) {
				time.Sleep(items[i])
				return i, nil
			}, record) {
				if err != nil {
					return err
				}
				time.Sleep(4 * time.Millisecond) // what is to be done with a result
			}
			return nil
		}),
	)
}

// durations of the items.
func durations() []time.Duration {
	items := make([]time.Duration, 60)
	for i := range items {
		items[i] = time.Duration(20+i*37%40) * time.Millisecond
		if i%17 == 8 {
			items[i] = 200 * time.Millisecond
		}
	}
	return items
}

func indices(items []time.Duration) []int {
	all := make([]int, len(items))
	for i := range all {
		all[i] = i
	}
	return all
}

type drawer struct {
	world  *dlp.Comm
	folder string
}

// byHand draws a loop that nothing records: each rank notes its own times.
func (d *drawer) byHand(ctx context.Context, name string, items []time.Duration, loop func(func(int) bool)) error {
	if err := d.world.Barrier(ctx); err != nil {
		return err
	}
	began := time.Now()
	var records []timeline.Record
	for i := range loop {
		start := time.Since(began)
		time.Sleep(items[i])
		records = append(records, timeline.Record{Start: start, Took: time.Since(began) - start, Index: i, Rank: int32(d.world.Rank())})
	}
	all, err := dlp.Gather(ctx, d.world, records)
	if err != nil || !d.world.IsRoot() {
		return err
	}
	l := &timeline.Loop{Head: timeline.Head{Kind: name, Began: began}, Elapsed: time.Since(began), Records: slices.Concat(all...)}
	for _, p := range d.world.Info().Peers {
		l.Ranks = append(l.Ranks, timeline.Rank{Host: p.Host, Slots: 1})
	}
	return d.draw(name, l)
}

// recorded draws a loop that records itself.
func (d *drawer) recorded(name string, loop func(record dlp.LoopOption) error) error {
	path := filepath.Join(d.folder, name+".timeline")
	if err := loop(dlp.Timeline(path)); err != nil || !d.world.IsRoot() {
		return err
	}
	file, err := timeline.ReadFile(path)
	if err != nil {
		return err
	}
	l := file.Loops[len(file.Loops)-1]
	l.Kind, l.Job = name, ""
	return errors.Join(d.draw(name, l), os.Remove(path))
}

// draw hides the names of hosts, which mean nothing to readers.
func (d *drawer) draw(name string, l *timeline.Loop) error {
	for i := range l.Ranks {
		l.Ranks[i].Host = ""
	}
	file, err := os.Create(filepath.Join(d.folder, "loop-"+strings.ReplaceAll(name, " ", "-")+".svg"))
	if err != nil {
		return err
	}
	return errors.Join(draw.SVG(file, l), file.Close())
}
