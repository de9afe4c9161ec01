package main

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { os.Exit(deadline.Each(m).Run()) }

// Every measure does what it says on four ranks, with little data.
func TestMeasures(t *testing.T) {
	for _, m := range measures {
		t.Run(m.name, func(t *testing.T) {
			m.size, m.n, m.rows, m.per = min(m.size, 4<<10), 2, 1, 1
			require.NoError(t, dlp.Run(context.Background(), 4, func(ctx context.Context, world *dlp.Comm) error {
				return m.run(ctx, world)
			}))
		})
	}
}
