package dlp_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// Lines that rank 0 alone can read are worked on by all ranks, two at a time.
func ExampleMapFromRoot() {
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, world *dlp.Comm) error {
		text := "one\ntwo\nthree"
		length := func(_ context.Context, line string) (int, error) { return len(strings.TrimSpace(line)), nil }
		sum := 0
		for r, err := range dlp.MapFromRoot(ctx, world, strings.Lines(text), length, dlp.Slots(2)) {
			if err != nil {
				return err
			}
			sum += r.Value
		}
		if world.IsRoot() {
			fmt.Println(sum)
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output: 11
}

// Rank 0 submits a task, and another one from its result.
func ExampleExecute() {
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, world *dlp.Comm) error {
		double := dlp.NewFunc("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		return dlp.Execute(ctx, world, func(ctx context.Context, ex *dlp.Executor) error {
			n, err := double.Submit(ex, 4).Result(ctx)
			if err != nil {
				return err
			}
			n, err = double.Submit(ex, n).Result(ctx)
			fmt.Println(n)
			return err
		}, double)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output: 16
}

// Results in the order of the arguments.
func ExampleFunc_Map() {
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, world *dlp.Comm) error {
		upper := dlp.NewFunc("upper", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
		return dlp.Execute(ctx, world, func(ctx context.Context, ex *dlp.Executor) error {
			for s, err := range upper.Map(ctx, ex, strings.FieldsSeq("a b c"), 2*ex.Slots()) {
				if err != nil {
					return err
				}
				fmt.Print(s, " ")
			}
			fmt.Println()
			return nil
		}, upper)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output: A B C
}

// Started again, the program has the results of finished tasks from the file.
func ExampleJournal() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer os.RemoveAll(folder)
	program := func(ctx context.Context, world *dlp.Comm) error {
		double := dlp.NewFunc("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		return dlp.Execute(ctx, world, func(ctx context.Context, ex *dlp.Executor) error {
			future := double.Submit(ex, 4)
			n, err := future.Result(ctx)
			fmt.Println(n, future.Resumed())
			return err
		}, double, dlp.Journal(filepath.Join(folder, "run.journal")))
	}
	for range 2 {
		if err := dlp.Run(context.Background(), 3, program); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	// Output:
	// 8 false
	// 8 true
}
