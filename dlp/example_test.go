package dlp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// A program is written once. Without a launcher it runs serially, as here;
// under srun, mpiexec or ameexec every process gets its share.
func Example() {
	ctx := context.Background()
	world, err := dlp.Init(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer world.Close()

	words := []string{"data", "level", "parallelism"}
	longest := 0
	for word, err := range dlp.SplitManaged(ctx, world, words) {
		if err != nil {
			log.Fatal(err)
		}
		longest = max(longest, len(word))
	}
	all, err := dlp.Gather(ctx, world, longest)
	if err != nil {
		log.Fatal(err)
	}
	if world.IsRoot() {
		fmt.Println("longest word:", slices.Max(all))
	}
	// Output: longest word: 11
}

// Run starts ranks as goroutines, for tests and examples.
func ExampleRun() {
	err := dlp.Run(context.Background(), 4, func(ctx context.Context, c *dlp.Comm) error {
		ranks, err := dlp.Gather(ctx, c, c.Rank())
		if c.IsRoot() {
			fmt.Println(ranks)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: [0 1 2 3]
}

func ExampleSplitRoundRobin() {
	items := []string{"a", "b", "c", "d", "e"}
	err := dlp.Run(context.Background(), 2, func(ctx context.Context, c *dlp.Comm) error {
		share := slices.Collect(dlp.SplitRoundRobin(c, items))
		shares, err := dlp.Gather(ctx, c, share)
		for rank, share := range shares { // none but on rank 0
			fmt.Println(rank, share)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 [a c e]
	// 1 [b d]
}

// Each rank sums up what it was given; rank 0 adds the sums.
func ExampleSplitManaged() {
	items := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		sum := 0
		for item, err := range dlp.SplitManaged(ctx, c, items) {
			if err != nil {
				return err
			}
			sum += item * item
		}
		sums, err := dlp.Gather(ctx, c, sum)
		if c.IsRoot() && err == nil {
			total := 0
			for _, sum := range sums {
				total += sum
			}
			fmt.Println("sum of squares:", total)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: sum of squares: 385
}

// The results come to rank 0 in any order.
func ExampleMapUnordered() {
	files := []string{"a.txt", "b.txt", "c.txt"}
	count := func(_ context.Context, file string) (int, error) {
		return strings.Count(file, "t"), nil // would open it
	}
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		total := 0
		for r, err := range dlp.MapUnordered(ctx, c, files, count) {
			if err != nil {
				return err
			}
			total += r.Value
		}
		if c.IsRoot() {
			fmt.Println("letters:", total)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: letters: 6
}

// With Continue, an item that fails is a result like the others.
func ExampleOnError() {
	items := []int{4, 0, 2}
	work := func(_ context.Context, n int) (int, error) { return 8 / n, nil }
	err := dlp.Run(context.Background(), 2, func(ctx context.Context, c *dlp.Comm) error {
		for r, err := range dlp.MapUnordered(ctx, c, items, work, dlp.OnError(dlp.Continue)) {
			switch {
			case err != nil:
				return err
			case r.Err != nil:
				fmt.Printf("item %d has failed\n", r.Index)
			default:
				fmt.Printf("item %d: %d\n", r.Index, r.Value)
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// item 0: 2
	// item 1 has failed
	// item 2: 4
}

func ExampleGather() {
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		all, err := dlp.Gather(ctx, c, fmt.Sprint("part of rank ", c.Rank()))
		for _, part := range all { // none but on rank 0
			fmt.Println(part)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// part of rank 0
	// part of rank 1
	// part of rank 2
}

// What may differ between ranks, or should be read once, comes from rank 0.
func ExampleCallOnRoot() {
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		seed, err := dlp.CallOnRoot(ctx, c, func() (int, error) { return 42, nil })
		fmt.Println("seed", seed)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// seed 42
	// seed 42
	// seed 42
}

func ExampleUnorderedList() {
	items := []string{"ok", "bad", "ok", "bad", "worse"}
	err := dlp.Run(context.Background(), 2, func(ctx context.Context, c *dlp.Comm) error {
		problems := dlp.NewUnorderedList[string](c)
		for item, err := range dlp.SplitManaged(ctx, c, items) {
			if err != nil {
				return err
			}
			if item != "ok" {
				problems.Append(item)
			}
		}
		all, err := problems.Gather(ctx)
		if c.IsRoot() {
			fmt.Println(len(all), "problems")
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 3 problems
}

func ExampleNestedMap() {
	type example struct{ set, id string }
	examples := []example{{"dev", "a"}, {"dev", "b"}, {"test", "a"}}
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		results := dlp.NewNestedMap[int](c)
		for i, err := range dlp.SplitManaged(ctx, c, []int{0, 1, 2}) {
			if err != nil {
				return err
			}
			ex := examples[i]
			if err := results.Set(i*10, ex.set, ex.id); err != nil {
				return err
			}
		}
		tree, err := results.Gather(ctx)
		if err != nil || !c.IsRoot() {
			return err
		}
		text, err := json.Marshal(tree)
		fmt.Println(string(text))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: {"dev":{"a":0,"b":10},"test":{"a":20}}
}
