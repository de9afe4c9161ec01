package bootstrap

import (
	"context"
	"errors"
	"time"

	"github.com/dlp-mpi/dlp-go/pmix"
)

// How long, and how often, a rank asks for a text that a fence should have
// brought. That gives rank 0 time to end the program before; where programs of
// a task use the server side by side, the text never comes.
const (
	unfencedWait  = 30 * time.Second
	unfencedPause = 100 * time.Millisecond
)

// unfenced gets rank 0's text, again and again if the server does not know it
// although rank 0 is said to have been in the fence. Fences of Slurm with
// PMIxDirectConn=no wait for no other node (seen with Slurm 22.05.8 and PMIx
// 4.2.2; the C library sees the same). The get of the first program waits for
// rank 0's first commit; in the program after it rank 0 has committed before.
func unfenced(ctx context.Context, get func() (string, error)) (string, error) {
	again := time.NewTicker(unfencedPause)
	defer again.Stop()
	late := time.NewTimer(unfencedWait)
	defer late.Stop()
	for {
		text, err := get()
		if !errors.Is(err, pmix.StatusNotFound) {
			return text, err
		}
		select {
		case <-again.C:
		case <-late.C:
			return "", err
		case <-ctx.Done():
			return "", err
		}
	}
}
