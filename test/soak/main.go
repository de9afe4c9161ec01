// Soak runs mixed work on real processes for long, and checks that no rank grows.
//
//	go run ./test/soak [-time 10m] [-ranks 8] [-ameexec bin/ameexec]
//
// The ranks go through maps, splits, collectives, messages, communicators that come
// and go, counters, locks, and executors with a journal, again and again, and check
// each result. Once a minute, or six times if the time is shorter than that, rank 0
// prints a table: memory in use, live heap, goroutines and descriptors of each rank,
// after the garbage is collected. The first one is what the others are compared with.
// The exit status is 1 after a wrong result, and if at the end a rank has more than
// then: see grown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "rank" {
		length, err := time.ParseDuration(os.Args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
			os.Exit(2)
		}
		dlp.Main(func(ctx context.Context, world *dlp.Comm) error { return soak(ctx, world, length, os.Args[3]) })
		return
	}
	length := flag.Duration("time", 10*time.Minute, "how long the work goes on")
	ranks := flag.Int("ranks", 8, "number of ranks")
	ameexec := flag.String("ameexec", "bin/ameexec", "the launcher")
	flag.Parse()
	if *length < time.Second || *ranks < 1 {
		fmt.Fprintln(os.Stderr, "soak: -time must be 1s or more, and -ranks 1 or more")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *length, *ranks, *ameexec)
	stop()
	if err != nil {
		fmt.Println("soak: FAILED:", err)
		os.Exit(1)
	}
	fmt.Println("soak: no rank has grown")
}

// run runs the job.
func run(ctx context.Context, length time.Duration, ranks int, ameexec string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	cmd := exec.CommandContext(ctx, ameexec, "-n", fmt.Sprint(ranks), self, "rank", length.String(), folder)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	return cmd.Run()
}

// soak is what each rank does.
func soak(ctx context.Context, world *dlp.Comm, length time.Duration, folder string) error {
	every := min(time.Minute, length/6)
	start := time.Now()
	var first, last []usage // on rank 0, by rank
	for round, taken := 1, 0; taken < int(length/every); round++ {
		if err := work(ctx, world, round, folder); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		due, err := dlp.Bcast(ctx, world, time.Since(start) >= time.Duration(taken+1)*every) // by rank 0's clock
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		taken++
		all, err := measure(ctx, world)
		if err != nil {
			return err
		}
		if world.IsRoot() {
			fmt.Print(table(time.Since(start), round, all))
			if first == nil {
				first = all
			}
			last = all
		}
	}
	return grown(first, last)
}
