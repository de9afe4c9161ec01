package dlp

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInitWithoutALauncher(t *testing.T) {
	c, err := Init(t.Context())
	require.NoError(t, err)
	defer c.Close()
	info := c.Info()
	host, _ := os.Hostname()
	assert.Equal(t, "single", info.Method)
	assert.Equal(t, host, info.Host)
	assert.NotEmpty(t, info.Job)
	assert.NotEmpty(t, info.Methods)
	assert.Len(t, info.Peers, 1)
	assert.Equal(t, []int{0, 1}, []int{c.Rank(), c.Size()})
	assert.True(t, c.IsRoot())

	ctx := t.Context()
	require.NoError(t, c.Barrier(ctx))
	d, err := c.Dup(ctx)
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.NoError(t, c.Barrier(ctx))
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
}

func TestInitWithABrokenEnvironment(t *testing.T) {
	tests := map[string][2]string{
		"AME_RANK":      {"0", "AME_SIZE is not set"},
		"AME_BOOTSTRAP": {"nothing", "single"}, // lists the known ones
		"AME_TIMEOUT":   {"soon", "AME_TIMEOUT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, test[0])
			_, err := Init(t.Context())
			assert.ErrorContains(t, err, test[1])
		})
	}
}

func TestInfoIsTheCallers(t *testing.T) {
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		c.Info().Peers[1].Host = "changed"
		assert.NotEqual(t, "changed", c.Info().Peers[1].Host)
		return nil
	}))
}

func TestAbortReachesAll(t *testing.T) {
	var errs [3]error
	err := Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 2 {
			c.Abort(errors.New("disk full"))
		}
		errs[c.Rank()] = c.Barrier(ctx)
		return nil
	})
	require.NoError(t, err)
	for rank, err := range errs {
		assert.ErrorContains(t, err, "disk full", "rank %d", rank)
		assert.ErrorContains(t, err, "rank 2 on ")
	}
}

func TestRunReturnsTheFirstError(t *testing.T) {
	err := Run(t.Context(), 4, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 3 {
			return errOdd
		}
		return c.Barrier(ctx)
	})
	assert.ErrorIs(t, err, errOdd)
	assert.ErrorContains(t, Run(t.Context(), 0, nil), "0 ranks")
}

func TestRunPassesPanicsOn(t *testing.T) {
	defer func() {
		p, ok := recover().(*RunPanic)
		require.True(t, ok)
		assert.Equal(t, 1, p.Rank)
		assert.Equal(t, "boom", p.Value)
		assert.Contains(t, p.Error(), "comm_test.go")
	}()
	_ = Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 1 {
			panic("boom")
		}
		return c.Barrier(ctx)
	})
	t.Error("Run has returned")
}

func TestRunWithACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, Run(ctx, 3, func(context.Context, *Comm) error { return nil }), context.Canceled)
}
