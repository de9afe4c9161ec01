package dlp_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// Six ranks on a grid of three rows and two columns, whose rows have no end.
func ExampleGrid() {
	err := dlp.Run(context.Background(), 6, func(_ context.Context, c *dlp.Comm) error {
		grid, err := dlp.Grid(c, []int{0, 2}, []bool{false, true})
		if err != nil || c.Rank() != 3 {
			return err
		}
		right, _ := grid.Shift(1, 1)
		below, hasBelow := grid.Shift(0, 1)
		fmt.Println(grid.Dims(), grid.Coords(c.Rank()), right, below, hasBelow)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: [3 2] [1 1] 2 5 true
}

// All ranks take indices from one counter.
func ExampleNewCounter() {
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		counter, err := dlp.NewCounter(ctx, c)
		if err != nil {
			return err
		}
		defer counter.Close()
		mine := 0
		for {
			i, err := counter.NextIndex(ctx)
			if err != nil {
				return err
			}
			if i >= 10 {
				break
			}
			mine += i * i
		}
		total, err := dlp.Reduce(ctx, c, mine, dlp.Sum)
		if c.IsRoot() {
			fmt.Println(total)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 285
}

// One rank at a time writes the log.
func ExampleNewMutex() {
	shared := ""
	err := dlp.Run(context.Background(), 3, func(ctx context.Context, c *dlp.Comm) error {
		mutex, err := dlp.NewMutex(ctx, c)
		if err != nil {
			return err
		}
		defer mutex.Close()
		if err := mutex.Lock(ctx); err != nil {
			return err
		}
		shared += "a line\n"
		if err := mutex.Unlock(); err != nil {
			return err
		}
		return c.Barrier(ctx)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(shared)
	// Output:
	// a line
	// a line
	// a line
}

// A sum goes on while the ranks do something else.
func ExampleIallreduce() {
	err := dlp.Run(context.Background(), 4, func(ctx context.Context, c *dlp.Comm) error {
		var sum int
		request := dlp.Iallreduce(c, c.Rank(), &sum, dlp.Sum)
		square := c.Rank() * c.Rank() // what needs no sum
		if _, err := request.Wait(ctx); err != nil {
			return err
		}
		if c.Rank() == 3 {
			fmt.Println(sum, square)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 6 9
}

// A rank goes on when it is done, and looks later whether all are.
func ExampleComm_Ibarrier() {
	err := dlp.Run(context.Background(), 2, func(ctx context.Context, c *dlp.Comm) error {
		done := c.Ibarrier()
		if c.IsRoot() {
			fmt.Println("cleans up meanwhile")
		}
		_, err := done.Wait(ctx)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: cleans up meanwhile
}
