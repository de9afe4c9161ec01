// Resume is a long computation that survives preemption, the end of its time and
// crashes: for each block of numbers it finds the one with the longest Collatz
// sequence. Each result is kept in a journal before it is used, and a start that
// finds the journal goes on from there.
//
//	ameexec -n 4 resume -journal run.journal -results results.txt
//
// Ctrl-C, or kill it in any other way, and start it again with the same command:
// also with another number of ranks. jobs/requeue.sbatch is a job that does so by
// itself. The status is 75 if it was asked to stop before it was done.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() {
	o := options{}
	flag.StringVar(&o.journal, "journal", "resume.journal", "`file` of what is done, on the node of rank 0")
	flag.StringVar(&o.results, "results", "resume.txt", "`file` for the results, on the node of rank 0")
	flag.IntVar(&o.blocks, "blocks", 1000, "number of blocks")
	flag.DurationVar(&o.pause, "pause", 0, "how long to wait in each block, to have the time to interrupt it")
	flag.Parse()
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error { return run(ctx, world, o) })
}

type options struct {
	journal, results string
	blocks           int
	pause            time.Duration
}

// blockSize is how many numbers a block has.
const blockSize = 10_000

// longest is the result of a block.
type longest struct {
	Number uint64
	Steps  int
}

func run(ctx context.Context, world *dlp.Comm, o options) error {
	blocks := make([]uint64, o.blocks) // the first number of each
	for i := range blocks {
		blocks[i] = uint64(i)*blockSize + 1
	}
	work := func(ctx context.Context, first uint64) (longest, error) {
		if err := wait(ctx, o.pause); err != nil {
			return longest{}, err
		}
		return search(first), nil
	}

	// Every start yields every result once, those of earlier starts as well. So
	// the results begin anew, and what an earlier start had written of them does
	// not matter.
	var out *os.File
	if world.IsRoot() {
		var err error
		if out, err = os.Create(o.results); err != nil {
			return err
		}
		defer out.Close()
	}

	options := []dlp.MapOption{
		dlp.Journal(o.journal),
		// 10 s for the blocks at hand, of the 30 s that Slurm gives a job which it
		// has asked to end.
		dlp.StopOn(world.Stopping(), 10*time.Second),
	}
	if os.Getenv("SLURM_JOB_ID") != "" {
		options = append(options, dlp.StopBefore(time.Minute)) // of the time limit
	}
	var done, earlier int
	var failed error
	for r, err := range dlp.MapUnordered(ctx, world, blocks, work, options...) {
		if err != nil {
			failed = err
			break
		}
		if _, err := fmt.Fprintln(out, blocks[r.Index], r.Value.Number, r.Value.Steps); err != nil {
			return err
		}
		if done++; r.Resumed {
			earlier++
		}
	}
	if failed != nil && !errors.Is(failed, dlp.ErrStopped) {
		return failed
	}
	// Collectives work behind a loop that was stopped: there is time to save more.
	if world.IsRoot() {
		fmt.Printf("%d of %d blocks are done, %d of them by earlier starts\n", done, len(blocks), earlier)
		if err := out.Close(); err != nil {
			return err
		}
	}
	return failed // an ErrStopped makes the status 75: start me again
}

// search finds the longest sequence of a block.
func search(first uint64) (best longest) {
	for n := first; n < first+blockSize; n++ {
		steps := 0
		for x := n; x != 1; steps++ {
			if x%2 == 0 {
				x /= 2
			} else {
				x = 3*x + 1
			}
		}
		if steps > best.Steps {
			best = longest{n, steps}
		}
	}
	return best
}

// wait waits for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
