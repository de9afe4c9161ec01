// Sub is a program with a loop, for tests of who becomes a rank of what.
//
//	sub BASE [WORD]          sums BASE .. BASE+99 over all ranks
//	sub each COMMAND...      runs a command for each of four items, on whichever rank
//	sub root COMMAND...      runs a command once, on rank 0
//
// Rank 0 prints a line for each sum: "BASE SUM by N ranks". WORD means nothing,
// but makes the command lines of two ranks differ. AFTER, a duration, is how
// long rank 0 lives on when it has closed its world.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sub:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	world, err := dlp.Init(ctx)
	if err != nil {
		return err
	}
	isRoot := world.IsRoot()
	defer linger(isRoot)
	defer world.Close()
	if len(args) == 0 {
		return fmt.Errorf("no arguments: want a number, each or root")
	}
	switch args[0] {
	case "each":
		for item, err := range dlp.SplitManaged(ctx, world, []int{0, 1, 2, 3}) {
			if err != nil {
				return err
			}
			if err := start(args[1:]); err != nil {
				return fmt.Errorf("item %d: %w", item, err)
			}
		}
		return world.Barrier(ctx)
	case "root":
		_, err := dlp.CallOnRoot(ctx, world, func() (struct{}, error) { return struct{}{}, start(args[1:]) })
		return err
	default:
		base, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return sum(ctx, world, base)
	}
}

// start runs a command to its end. It prints where we print.
func start(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func sum(ctx context.Context, world *dlp.Comm, base int) error {
	items := make([]int, 100)
	for i := range items {
		items[i] = base + i
	}
	mine := 0
	for item, err := range dlp.SplitManaged(ctx, world, items) {
		if err != nil {
			return err
		}
		mine += item
	}
	all, err := dlp.Gather(ctx, world, mine)
	if err != nil || !world.IsRoot() {
		return err
	}
	total := 0
	for _, n := range all {
		total += n
	}
	_, err = fmt.Printf("%d %d by %d ranks\n", base, total, world.Size())
	return err
}

// linger keeps rank 0 of a program that has ended its job.
func linger(isRoot bool) {
	if d, err := time.ParseDuration(os.Getenv("AFTER")); err == nil && isRoot {
		time.Sleep(d)
	}
}
