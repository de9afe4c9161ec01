// Chaos runs a map on real processes while it kills, stops and slows them, cuts and
// delays their links, and checks that nothing is lost and nothing comes twice.
//
//	go run ./test/chaos [-time 3m] [-seed N] [-ameexec bin/ameexec]
//
// Each job is 12 ranks under ameexec --continue and a MapUnordered over 20,000
// items. A schedule, drawn from the seed and the number of the job, says what
// happens to which rank when so many items have been begun: at most five kills,
// stops that end before anybody may be declared lost for them, slow times, and
// connections of strangers with garbage. In every second job the ranks reach rank 0
// through this process, which cuts some of the links and delays others. Rank 0 is
// spared. Every index must be
// delivered once and right, or be reported as one that two ranks were lost with,
// just where that was so. Jobs follow each other until the time is over. The
// exit status is 1 after the first job that fails, or if too few kills have hit
// items that were being worked on. The same seed gives the same schedules.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// minHits is how many kills must hit a running item, in all jobs together.
	minHits = 10

	// minJobs run where that is not so: on a busy machine few have come to their
	// ends when the time is over.
	minJobs = 20
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "rank" {
		rankMain(os.Args[2], os.Args[3])
		return
	}
	length := flag.Duration("time", 3*time.Minute, "new jobs start for so long")
	seed := flag.Uint64("seed", 0, "of the schedules; 0: draws one")
	ameexec := flag.String("ameexec", "bin/ameexec", "the launcher")
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(rand.Uint32())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *length, *seed, *ameexec)
	stop()
	if err != nil {
		fmt.Printf("chaos: FAILED with seed %d: %v\n", *seed, err)
		os.Exit(1)
	}
}

// run runs jobs until their time is over.
func run(ctx context.Context, length time.Duration, seed uint64, ameexec string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("chaos: seed %d\n", seed)
	kills, cuts, hits, poison := 0, 0, 0, 0
	start := time.Now()
	jobs := uint64(0)
	for ; jobs == 0 || time.Since(start) < length || hits < minHits && jobs < minJobs; jobs++ {
		j := &job{ameexec: ameexec, program: self, plan: schedule(seed, jobs), linked: linked(jobs)}
		o, err := j.run(ctx)
		if err != nil {
			return fmt.Errorf("job %d: %w\nits schedule:\n%s", jobs, err, text(j.plan))
		}
		fmt.Printf("chaos: job %d: %d ranks killed, %d of them by a cut link, %d in an item, %d items failed with two of them, %v\n",
			jobs, len(o.dead), o.cut, o.hits(), len(o.failed), o.took.Round(100*time.Millisecond))
		kills, cuts, hits, poison = kills+len(o.dead), cuts+o.cut, hits+o.hits(), poison+len(o.failed)
	}
	fmt.Printf("chaos: %d jobs, %d kills, %d of them by a cut link, %d in an item, %d items failed with two, all others delivered once\n", jobs, kills, cuts, hits, poison)
	if hits < minHits {
		return errors.New("too few kills have hit an item to say anything")
	}
	return nil
}
