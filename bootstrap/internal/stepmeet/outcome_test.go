package stepmeet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestNoRoot(t *testing.T) {
	l := newLab(t)
	l.makeKey(t)
	ranks := []fakeenv.Map{l.task(2, 3), l.task(2, 3).With("SLURM_STEP_NODELIST", "x[1-2]", "SLURM_DISTRIBUTION", "arbitrary")}
	var errs []error
	for limit := 200 * time.Millisecond; limit < time.Minute; limit *= 5 { // a busy machine needs longer for a look at all
		ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("out of patience"))
		_, errs = l.join(t, ctx, ranks)
		cancel()
		if strings.Contains(fmt.Sprint(errs[0]), "connection refused") && strings.Contains(fmt.Sprint(errs[1]), "no such host") {
			break
		}
	}
	require.ErrorContains(t, errs[0], "rank 2 on n2 cannot reach rank 0 on n1: out of patience; tried 127.0.0.1 port 2")
	require.ErrorContains(t, errs[0], "connection refused")
	require.ErrorContains(t, errs[0], "set AME_RENDEZVOUS_DIR to a directory that all nodes see")
	require.ErrorContains(t, errs[1], "node x[1-2]: no such host")
}

func (l *lab) makeKey(t *testing.T) {
	_, err := makeKeyFile(t.Context(), filepath.Join(l.home, ".config/ame/key"))
	require.NoError(t, err)
}

func TestCancelled(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errs := l.join(t, ctx, []fakeenv.Map{l.task(1, 2)})
	require.ErrorIs(t, errs[0], context.Canceled)
}

// It may have come while the first job was not yet complete: then it was taken
// for a second process of its rank.
func TestPatienceEndsWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		s := &search{Member: &Member{patience: time.Second}, end: cancel}
		require.Error(t, s.judge(verdictTaken, "there is one"))
		require.Error(t, s.judge(verdictOtherProgram, "complete"))
		time.Sleep(time.Minute)
		require.NoError(t, ctx.Err())
		require.Error(t, s.judge(verdictTaken, "there is one"))
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, context.Cause(ctx), errRefused)
	})
}

func TestNoFreePort(t *testing.T) {
	l := newLab(t)
	listener, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer listener.Close()
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	_, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(0, 4).With("AME_PORT_RANGE", port)})
	require.ErrorContains(t, errs[0], "AME_PORT_RANGE="+port)
	require.ErrorContains(t, errs[0], "makes every rank use other ports")
}
