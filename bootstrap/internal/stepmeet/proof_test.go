package stepmeet

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
	"github.com/dlp-mpi/dlp-go/test/mungetest"
)

func TestWithMunge(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	ranks := l.mustJoin(t, l.tasks(7))
	assert.Empty(t, ranks[3].warning)
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist, "no key file where MUNGE works")
}

func TestWithKeyFile(t *testing.T) {
	l := newLab(t)
	l.mustJoin(t, l.tasks(6))
	info, err := os.Stat(filepath.Join(l.home, ".config/ame/key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	entries, err := os.ReadDir(filepath.Join(l.home, ".config/ame"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing left behind")
}

func TestKeyFileByName(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	path := filepath.Join(t.TempDir(), "sub/my.key")
	l.mustJoin(t, l.tasks(3, "AME_KEY_FILE", path))
	_, err := os.Stat(path)
	require.NoError(t, err, "used although munged is there")
}

func TestInsecure(t *testing.T) {
	l := newLab(t)
	ranks := l.mustJoin(t, l.tasks(3, "AME_INSECURE", "1"))
	assert.Contains(t, ranks[0].warning, "AME_INSECURE=1: whoever reaches this job over the network can join it")
	assert.Contains(t, ranks[2].warning, "AME_INSECURE=1: the key of this job came to n2 in clear")
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestMungeAlthoughInsecureIsAllowed(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	for _, r := range l.mustJoin(t, l.tasks(3, "AME_INSECURE", "1")) {
		assert.Empty(t, r.warning)
	}
}

func TestWithoutProof(t *testing.T) {
	l := newLab(t)
	_, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2).Without("HOME")})
	for _, part := range []string{"node n1", "munge unavailable: no socket " + l.munge, "AME_KEY_FILE", "AME_INSECURE=1", "AME_MUNGE_SOCKET"} {
		require.ErrorContains(t, errs[0], part)
	}
}

func TestNodesWithDifferentProofs(t *testing.T) {
	daemon := mungetest.Start(t, nil)
	for name, without := range map[string]int{"a rank without munged": 2, "rank 0 without munged": 0} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.munge = daemon.Socket
			envs := l.tasks(4)
			envs[without]["AME_MUNGE_SOCKET"] = filepath.Join(t.TempDir(), "none")
			l.mustJoin(t, envs) // the home directory is shared
		})
		t.Run(name+", homes apart", func(t *testing.T) {
			l := newLab(t)
			l.munge = daemon.Socket
			envs := l.tasks(4)
			envs[without]["AME_MUNGE_SOCKET"] = filepath.Join(t.TempDir(), "none")
			envs[without]["HOME"] = t.TempDir()
			_, errs := l.join(t, t.Context(), envs)
			for rank, err := range errs {
				if (without == 0) == (rank == 0) {
					continue // rank 0 does not know of the others; here all or one of them fail
				}
				if without != 0 && rank != without {
					require.NoError(t, err)
					continue
				}
				node := fmt.Sprintf("n%d", rank/2+1)
				require.ErrorContains(t, err, fmt.Sprintf("rank %d on %s and rank 0 do not come together: rank 0 on n1 takes", rank, node))
				require.ErrorContains(t, err, "munge unavailable")
				require.ErrorContains(t, err, "start munged on every node")
			}
		})
	}
}

func TestHomesApart(t *testing.T) {
	l := newLab(t)
	envs := l.tasks(3)
	envs[2]["HOME"] = t.TempDir()
	_, errs := l.join(t, t.Context(), envs)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "its key file "+l.home+"/.config/ame/key is another one: is the directory not shared between the nodes?")
}

// Rank 0 does not see the output of a rank that it has sent away.
func TestRootKnowsWhomItHasSentAway(t *testing.T) {
	l := newLab(t)
	envs := l.tasks(3)
	envs[2]["HOME"] = t.TempDir()
	ranks, errs := l.join(t, t.Context(), envs)
	require.Error(t, errs[2])
	refused := ranks[0].server.Refused()
	assert.True(t, strings.HasPrefix(refused, "rank 2: rank 0 on n1 takes a key file (slurm: munge encode"), refused)
	assert.Contains(t, refused, "is the directory not shared between the nodes?")
}

func TestDifferentMungeKeys(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	envs := l.tasks(3)
	envs[2]["AME_MUNGE_SOCKET"] = mungetest.Start(t, nil).Socket
	_, errs := l.join(t, t.Context(), envs)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "node n1: slurm: munge decode: munged refuses: Invalid credential (error 14); the nodes have different munge keys")
}

func TestMungedHasDied(t *testing.T) {
	l := newLab(t)
	daemon := mungetest.Start(t, nil)
	daemon.Stop()
	l.munge = daemon.Socket
	_, errs := l.join(t, t.Context(), l.tasks(1, "SLURM_STEP_NUM_TASKS", "2"))
	require.ErrorContains(t, errs[0], "node n1: slurm: munge encode: munge unavailable: munged is not running, its socket "+daemon.Socket+" is stale")
	require.ErrorContains(t, errs[0], "start munged there, or use a key file instead")
	_, err := os.Stat(filepath.Join(l.home, ".config"))
	assert.ErrorIs(t, err, os.ErrNotExist, "no other proof behind the user's back")
}

// A rank that can prove nothing says so to rank 0 before it ends with its
// reason, as soon as rank 0 has heard, or after a while if there is none.
func TestRankThatCanProveNothing(t *testing.T) {
	l := newLab(t)
	l.farewell = 40 * time.Second
	l.makeKey(t)
	root, err := l.run(t, t.Context(), l.task(0, 2))
	require.NoError(t, err)
	start := time.Now()
	_, err = l.run(t, t.Context(), l.task(1, 2).With("HOME", "", "AME_KEY_FILE", ""))
	require.ErrorContains(t, err, "rank cannot prove who it is: node n1: ")
	require.Less(t, time.Since(start), l.farewell)
	require.Contains(t, root.server.Refused(), "rank 1: it can prove nothing, its own output says why; rank 0 on n1 takes a key file")
	<-root.server.Doomed().Done()
	require.ErrorContains(t, context.Cause(root.server.Doomed()), "a rank has given up: rank 1 on n1: rank cannot prove who it is: node n1: ")
}

// What a stranger could say does not end the job. The user hears of it once.
func TestRankThatGivesUpElsewhere(t *testing.T) {
	for name, owner := range map[string]func(net.Conn) (int, bool){
		"another node": func(net.Conn) (int, bool) { return 0, false },
		"another user": func(net.Conn) (int, bool) { return os.Geteuid() + 1, true },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.makeKey(t)
			told := make(chan string, 2)
			l.owner, l.tell = owner, func(what string) { told <- what }
			root, err := l.run(t, t.Context(), l.task(0, 3))
			require.NoError(t, err)
			for range 2 {
				_, err = l.run(t, t.Context(), l.task(2, 3).With("HOME", "", "AME_KEY_FILE", ""))
				require.Error(t, err)
			}
			assert.Regexp(t, `^a rank has given up: rank 2 on n2: rank cannot prove who it is: .*\(so says 127.0.0.1, which cannot prove it`, <-told)
			assert.Empty(t, told)
			require.NoError(t, root.server.Doomed().Err())
		})
	}
}
