package dlp

import (
	"context"
	"testing"
)

// BenchmarkMapUnordered maps a trivial function over 20,000 items on 3 ranks.
func BenchmarkMapUnordered(b *testing.B) {
	const n = 20_000
	items := numbers(n)
	err := Run(context.Background(), 3, func(ctx context.Context, c *Comm) error {
		double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
		for range b.N {
			got := 0
			for _, err := range MapUnordered(ctx, c, items, double) {
				if err != nil {
					return err
				}
				got++
			}
			if c.IsRoot() && got != n {
				b.Errorf("got %d of %d results", got, n)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}
