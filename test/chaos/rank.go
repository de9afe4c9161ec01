package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// rankMain is the program that the ranks run: a map, whose results rank 0 checks.
// It prints a line for each item that has failed, and one at the end.
// links is how it reaches rank 0, empty if in its own way.
func rankMain(path, links string) {
	if links != "" {
		if err := useLinks(links); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			os.Exit(2)
		}
	}
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		t, err := openTable(path)
		if err != nil {
			return err
		}
		rank := world.Rank()
		t.Ranks[rank].PID.Store(int64(os.Getpid()))
		work := func(_ context.Context, item int) ([]byte, error) {
			t.begin(rank, item)
			defer t.end(rank, item)
			time.Sleep(pause(item))
			return result(item), nil
		}
		indices := make([]int, items)
		for i := range indices {
			indices[i] = i
		}
		delivered := make([]bool, items)
		count, failed := 0, 0
		for r, err := range dlp.MapUnordered(ctx, world, indices, work, dlp.OnError(dlp.Continue)) {
			switch {
			case err != nil:
				return err
			case delivered[r.Index]:
				return fmt.Errorf("item %d was delivered twice", r.Index)
			case r.Err != nil:
				failed++
				fmt.Printf("failed %d: %v\n", r.Index, r.Err)
			case !bytes.Equal(r.Value, result(r.Index)):
				return fmt.Errorf("item %d: a wrong result of %d bytes from rank %d", r.Index, len(r.Value), r.Rank)
			}
			delivered[r.Index] = true
			count++
		}
		if world.IsRoot() {
			fmt.Printf("delivered %d, failed %d, lost %v\n", count, failed, world.Lost())
		}
		return nil
	})
}

// pause is how long an item takes besides its work: most 1 ms, some long
// enough to be hunted.
func pause(item int) time.Duration {
	if item%200 == 7 {
		return 100 * time.Millisecond
	}
	return time.Millisecond
}

// result is what an item comes to: a checksum, in some cases often enough that
// it travels by itself.
func result(item int) []byte {
	sum := sha256.Sum256([]byte(fmt.Sprint(item)))
	if item%1000 == 3 {
		return bytes.Repeat(sum[:], 5000)
	}
	return sum[:]
}
