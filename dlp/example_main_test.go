package dlp_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// A program that saves what it has when it is asked to stop.
func ExampleMain() {
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		examples, err := dlp.CallOnRoot(ctx, world, func() ([]string, error) { return filepath.Glob("examples/*.txt") })
		if err != nil {
			return err
		}
		words := func(_ context.Context, path string) (int, error) {
			text, err := os.ReadFile(path)
			return len(strings.Fields(string(text))), err
		}
		total := 0
		for r, err := range dlp.MapUnordered(ctx, world, examples, words) {
			if err != nil {
				return err
			}
			total += r.Value
			select {
			case <-world.Stopping():
				return os.WriteFile("total.txt", fmt.Appendln(nil, total, "and counting"), 0o644)
			default:
			}
		}
		if !world.IsRoot() {
			return nil
		}
		return os.WriteFile("total.txt", fmt.Appendln(nil, total), 0o644)
	})
}

// Each node has a copy of its own of the same files.
func ExampleKey() {
	type file struct{ Name, Copy string }
	err := dlp.Run(context.Background(), 2, func(ctx context.Context, c *dlp.Comm) error {
		scratch := fmt.Sprintf("/scratch/%d/", c.Rank())
		files := []file{{"a.wav", scratch + "a.wav"}, {"b.wav", scratch + "b.wav"}}
		same := dlp.Key(func(f file) string { return f.Name })
		length := func(_ context.Context, f file) (int, error) { return len(f.Name), nil }
		total := 0
		for r, err := range dlp.MapUnordered(ctx, c, files, length, same) {
			if err != nil {
				return err
			}
			total += r.Value
		}
		if c.IsRoot() {
			fmt.Println(total)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 10
}
