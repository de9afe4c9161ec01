// Corpus counts the identifiers in all Go files below a directory, on as many
// ranks as it is started with.
//
//	corpus [--serial | --compare] [--json] [DIR]
//
//	ameexec -n 4 corpus             the source of Go itself, where Go is installed
//	srun -n 64 corpus ~/projects    on a cluster; all nodes must see the directory
//
// Rank 0 finds the files. Each rank counts files as it gets free, and adds up
// what it has found; the sums of all ranks are merged at the end, two by two.
// --serial counts on rank 0 alone: the output is the same but for the times and
// who did what. --compare does both, and prints how much faster the ranks are.
// With --json, the output is one object; type summary in report.go has its
// fields.
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
	flag.BoolVar(&o.compare, "compare", false, "count on rank 0 alone first, and print both times")
	flag.BoolVar(&o.json, "json", false, "print one JSON object")
	flag.Usage = usage
	flag.Parse()
	o.dir = flag.Arg(0)
	if flag.NArg() > 1 {
		log.Printf("unexpected argument %q: options come first, then one directory", flag.Arg(1))
		flag.Usage()
		os.Exit(2)
	}
	if o.serial && o.compare {
		log.Print("--serial or --compare, not both")
		flag.Usage()
		os.Exit(2)
	}

	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		return run(ctx, world, o, os.Stdout, os.Stderr)
	})
}

// options are the command line.
type options struct {
	serial, compare, json bool
	dir                   string // "": the source of Go
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), "Usage: corpus [--serial | --compare] [--json] [DIR]\n",
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

	var serial time.Duration
	if o.compare {
		begin := time.Now()
		if _, err := countSerial(ctx, world, found.Paths); err != nil {
			return err
		}
		serial, start = time.Since(begin), time.Now()
	}
	counting := countParallel
	if o.serial {
		counting = countSerial
	}
	total, err := counting(ctx, world, found.Paths)
	if err != nil || !world.IsRoot() {
		return err
	}

	total.Failed = append(total.Failed, found.Failed...)
	s := total.summary(found.Dir, time.Since(start), serial)
	s.reportFailed(stderr)
	if o.json {
		return s.writeJSON(stdout)
	}
	return s.writeText(stdout)
}

// countSerial is the loop that everybody knows, on rank 0. The others wait.
func countSerial(ctx context.Context, world *dlp.Comm, paths []string) (*tally, error) {
	total := newTally(world.Size())
	if world.IsRoot() {
		for _, path := range paths {
			total.count(0, path)
		}
	}
	return total, world.Barrier(ctx)
}

// countParallel is the same loop on all ranks, each of which gets files as it is
// free. The sum of all is that of rank 0.
func countParallel(ctx context.Context, world *dlp.Comm, paths []string) (*tally, error) {
	own := newTally(world.Size())
	for path, err := range dlp.SplitManaged(ctx, world, paths) {
		if err != nil {
			return nil, err // the loop cannot go on, as when a rank is lost
		}
		own.count(world.Rank(), path)
	}
	return dlp.Reduce(ctx, world, own, merge)
}
