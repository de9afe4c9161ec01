// Corpus counts the identifiers in all Go files below a directory, on as many
// ranks as it is started with.
//
//	corpus [--serial] [--json] [DIR]
//
//	ameexec -n 4 corpus             the source of Go itself, where Go is installed
//	srun -n 64 corpus ~/projects    on a cluster; all nodes must see the directory
//
// Rank 0 finds the files and merges what the other ranks count, so start one
// rank more than there are cores. --serial counts on rank 0 alone, to compare:
// the output is the same but for the times and who did what. With --json, it is
// one object; type summary in report.go has its fields.
//
// A file that cannot be read is named on stderr and left out, and the status
// is still 0; so is a directory. Links are not followed. The status is 1 if
// the job cannot be done at all, and 2 for a wrong command line.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("corpus: ")
	var o options
	flag.BoolVar(&o.serial, "serial", false, "count on rank 0 alone")
	flag.BoolVar(&o.json, "json", false, "print one JSON object")
	flag.Usage = usage
	flag.Parse()
	o.dir = flag.Arg(0)
	if flag.NArg() > 1 {
		log.Printf("unexpected argument %q: options come first, then one directory", flag.Arg(1))
		flag.Usage()
		os.Exit(2)
	}

	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		return run(ctx, world, o, os.Stdout, os.Stderr)
	})
}

// options are the command line.
type options struct {
	serial, json bool
	dir          string // "": the source of Go
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), "Usage: corpus [--serial] [--json] [DIR]\n",
		"Counts the identifiers in all .go files below DIR (default: the source of Go).\n")
	flag.PrintDefaults()
}

// run is the program on each rank. Rank 0 prints the result.
func run(ctx context.Context, world *dlp.Comm, o options, stdout, stderr io.Writer) error {
	start := time.Now()

	// All ranks must loop over the same items, so one of them makes the list.
	found, err := dlp.CallOnRoot(ctx, world, func() (listing, error) { return list(o.dir) })
	if err != nil {
		return err
	}

	total := newTally(world.Size())
	if o.serial {
		err = countSerial(ctx, world, found.Paths, total)
	} else {
		err = countParallel(ctx, world, found.Paths, total)
	}
	if err != nil || !world.IsRoot() {
		return err
	}

	total.failed = append(total.failed, found.Failed...)
	s := total.summary(found.Dir, time.Since(start))
	s.reportFailed(stderr)
	if o.json {
		return s.writeJSON(stdout)
	}
	return s.writeText(stdout)
}

// countSerial is the loop that everybody knows.
func countSerial(ctx context.Context, world *dlp.Comm, paths []string, total *tally) error {
	if !world.IsRoot() {
		return nil
	}
	for _, path := range paths {
		c, err := count(ctx, path)
		total.add(0, path, c, err)
	}
	return nil
}

// countParallel is the same loop on all ranks: count runs on those other than
// 0, and the loop body on rank 0 alone, as the results come.
func countParallel(ctx context.Context, world *dlp.Comm, paths []string, total *tally) error {
	for r, err := range dlp.MapUnordered(ctx, world, paths, count, dlp.OnError(dlp.Continue)) {
		if err != nil {
			return err // the loop cannot go on; a failed item is in r.Err
		}
		total.add(r.Rank, paths[r.Index], r.Value, r.Err)
	}
	return nil
}
