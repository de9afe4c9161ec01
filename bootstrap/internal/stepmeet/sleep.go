package stepmeet

import (
	"context"
	"time"
)

// sleep waits for d and returns true, or for the end of ctx and returns false.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
