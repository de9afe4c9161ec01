package stepmeet

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/listen"
	"github.com/dlp-mpi/dlp-go/slurm"
	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

func TestRootAnywhere(t *testing.T) {
	l := newLab(t)
	// Rank 0 on the last node, as -m arbitrary allows.
	envs := l.tasks(6, "SLURM_DISTRIBUTION", "arbitrary")
	nodes := []string{"n3", "n1", "n2", "n1", "n2", "n3"}
	for rank, env := range envs {
		env["SLURMD_NODENAME"] = nodes[rank]
		env["SLURM_GTIDS"] = map[string]string{"n1": "1,3", "n2": "2,4", "n3": "0,5"}[nodes[rank]]
	}
	ranks, errs := l.join(t, t.Context(), envs)
	for i := range envs {
		require.NoError(t, errs[i])
		assert.Equal(t, ranks[0].text, ranks[i].text)
	}
}

func TestStepsSideBySide(t *testing.T) {
	l := newLab(t)
	// Few ports, so that the steps are in each other's way.
	ports := fmt.Sprintf("AME_PORT_RANGE=%s", freeRange(t, 6))
	name, value, _ := strings.Cut(ports, "=")
	var all sync.WaitGroup
	steps := make([][]*rank, 4)
	for step := range steps {
		all.Go(func() {
			var errs []error
			steps[step], errs = l.join(t, t.Context(), l.tasks(4, "SLURM_STEP_ID", fmt.Sprint(step), name, value))
			for _, err := range errs {
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	for _, ranks := range steps {
		l.check(t, ranks)
	}
}

// freeRange returns a range of ports of which all were free just now.
func freeRange(t *testing.T, n int) string {
	for range 100 {
		first := 10000 + int(time.Now().UnixNano()/1000)%9000
		free := true
		for port := first; port < first+n; port++ {
			listener, err := net.Listen("tcp", listen.HostPort("", port))
			if free = free && err == nil; err == nil {
				listener.Close()
			}
		}
		if free {
			return fmt.Sprintf("%d-%d", first, first+n-1)
		}
	}
	t.Fatal("no free ports")
	return ""
}

func TestStepAfterStep(t *testing.T) {
	l := newLab(t)
	seen := map[string]bool{}
	for range 3 { // programs of one step, one after another
		ranks := l.mustJoin(t, l.tasks(3))
		seen[ranks[0].text] = true
		require.NoError(t, ranks[0].server.Close())
	}
	assert.Len(t, seen, 3)
}

// occupy listens on the first ports of the lab's step.
func (l *lab) occupy(t *testing.T, handlers ...func(net.Conn)) {
	step, err := slurm.StepFromEnv(l.task(0, 2).Lookup)
	require.NoError(t, err)
	ports, err := sequence(fakeenv.Map{}.Lookup, step)
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait) // after the listeners are closed
	for i, handle := range handlers {
		listener, err := net.Listen("tcp", listen.HostPort("", ports.List[i]))
		require.NoError(t, err)
		t.Cleanup(func() { listener.Close() })
		serving.Go(func() {
			var conns []net.Conn
			for {
				conn, err := listener.Accept()
				if err != nil {
					break
				}
				conns = append(conns, conn)
				serving.Go(func() { handle(conn) })
			}
			for _, conn := range conns {
				conn.Close()
			}
		})
	}
}

// join2 is rank 0 of 2.
func (l *lab) join2(t *testing.T) *rank {
	ranks, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(0, 2)})
	require.NoError(t, errs[0])
	return ranks[0]
}

func TestRankTwice(t *testing.T) {
	l := newLab(t)
	root := l.join2(t)
	_, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2)})
	require.NoError(t, errs[0])
	_, errs = l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2)})
	require.ErrorContains(t, errs[0], "rank 1 on n1 and rank 0 do not come together: rank 0 on n1 has a rank 1 already: was the program started twice in this step? Each on its own comes up with AME_BOOTSTRAP=single (no other rank 0 was found)")
	require.NoError(t, root.server.Close())
}

// Rank 0 of one program of the task outlives its rank 1, which starts the next
// one meanwhile: that looks on until the next rank 0 comes.
func TestNextProgramWhileTheFirstRootLives(t *testing.T) {
	l := newLab(t)
	first := l.join2(t)
	_, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2)})
	require.NoError(t, errs[0])
	first.server.Complete()
	next := make(chan *rank)
	go func() {
		r, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2)})
		assert.NoError(t, errs[0])
		next <- r[0]
	}()
	select {
	case <-next:
		t.Fatal("it has met a rank 0 whose job is complete")
	case <-time.After(2 * patience):
	}
	second := l.join2(t)
	assert.Equal(t, second.text, (<-next).text)
}

func TestLooksOnOtherNodesOnlyWhereTheNodeIsUnknown(t *testing.T) {
	l := newLab(t)
	for name, test := range map[string]struct {
		env   fakeenv.Map
		nodes []string
		known bool
	}{
		"block":     {l.task(5, 6), []string{"n1"}, true},
		"arbitrary": {l.task(5, 6).With("SLURM_DISTRIBUTION", "arbitrary"), []string{"n1", "n2", "n3"}, false},
	} {
		step, err := slurm.StepFromEnv(test.env.Lookup)
		require.NoError(t, err)
		nodes, known := (&Member{step: step}).where()
		assert.Equal(t, test.nodes, nodes, name)
		assert.Equal(t, test.known, known, name)
	}
}

func TestTwoProgramsAtOnce(t *testing.T) {
	l := newLab(t)
	first, second := l.join2(t), l.join2(t)
	assert.NotEqual(t, first.root, second.root)
	a, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2), l.task(1, 2)})
	require.NoError(t, errors.Join(errs...))
	assert.ElementsMatch(t, []string{first.text, second.text}, []string{a[0].text, a[1].text})
}

func TestPorts(t *testing.T) {
	list := func(env fakeenv.Map, changes ...string) []int {
		l := lab{cluster: "lab"}
		step, err := slurm.StepFromEnv(l.task(0, 2).With(changes...).Lookup)
		require.NoError(t, err)
		ports, err := sequence(env.Lookup, step)
		require.NoError(t, err)
		assert.Equal(t, len(ports.List), len(slices.Compact(slices.Sorted(slices.Values(ports.List)))), "no port twice")
		return ports.List
	}
	plain := list(nil)
	assert.Len(t, plain, 8)
	for _, port := range plain {
		assert.True(t, 20000 <= port && port < 30000, port)
	}
	assert.Equal(t, plain, list(nil, "SLURM_PROCID", "1"), "the same on all ranks")
	for _, change := range []string{"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT", "SLURM_CLUSTER_NAME"} {
		assert.NotEqual(t, plain, list(nil, change, "5"), change)
	}
	reserved := []string{"SLURM_STEP_RESV_PORTS", "20000,20097-20200"}
	assert.Equal(t, append([]int{20000, 20097, 20098, 20099, 20100, 20101, 20102, 20103}, plain...), list(nil, reserved...))
	assert.Equal(t, []int{20097, 20098}, list(fakeenv.Map{"AME_PORT_RANGE": "20090-20098"}, reserved...)[:2])
	assert.ElementsMatch(t, []int{5000, 5001, 5002}, list(fakeenv.Map{"AME_PORT_RANGE": "5000-5002"}))
	_, err := sequence(fakeenv.Map{"AME_PORT_RANGE": "x"}.Lookup, &slurm.Step{})
	require.Error(t, err)
}
