package dlp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/test/simnet"
)

var (
	scalingRanks = flag.Int("ranks", 0, "TestScaling with so many ranks, and no bounds: for docs/scaling.md")
	itemsPerRank = flag.Int("items", 100, "of the map of TestScaling, for each rank")
)

// fabric is what TestScaling is of: Ethernet of 100 Gbit/s, and 2 us of a processor
// for a system call with the wake-up that comes of it.
var fabric = simnet.Model{
	Call: 2 * time.Microsecond, Copy: 5e9, Latency: 15 * time.Microsecond, Rate: 12.5e9, Within: 5 * time.Microsecond,
}

const (
	ranksPerNode = 100
	beat         = 10 * time.Second // in virtual time; all that a step sends has arrived by the next one
)

// modelJob is a job on a network in virtual time, by the code that is shipped.
type modelJob struct {
	size  int
	root  *simnet.Process
	cfg   []ame.Config
	mu    sync.Mutex
	last  time.Duration // when the last rank had ended a step
	steps []step
}

// step is what a collective or a loop has taken.
type step struct {
	name   string
	took   time.Duration // until the last rank had its result
	writes int64         // of rank 0
	out    int64         // bytes that rank 0 has sent
	in     int64         // bytes that it got
}

func newModelJob(size int) *modelJob {
	network := simnet.New(fabric)
	m := &modelJob{size: size}
	for rank := range size {
		p := network.Process(rank / ranksPerNode)
		cfg := scalingConfig(rank, size)
		cfg.Dial = p.Dial
		if rank == 0 {
			m.root, cfg.Listener = p, p.Listen()
		} else {
			cfg.Root.Addresses = []string{m.cfg[0].Listener.Addr().String()}
			cfg.Listen = func() (net.Listener, []string, error) {
				l := p.Listen()
				return l, []string{l.Addr().String()}, nil
			}
		}
		m.cfg = append(m.cfg, cfg)
	}
	return m
}

// scalingConfig is a rank's part in a job whose ranks know of no shared memory, so
// that all that they do is messages.
func scalingConfig(rank, size int) ame.Config {
	node := rank / ranksPerNode
	cfg := ame.Config{
		Rank: rank, Size: size, Host: fmt.Sprintf("node%03d", node), ConnectionsOnly: true,
		Root: ame.Endpoint{Job: "scaling", Key: bytes.Repeat([]byte{1}, 32)},
	}
	binary.BigEndian.PutUint32(cfg.Node[:], uint32(node)+1)
	return cfg
}

// scalingComm is this rank of a job, once all are connected.
func scalingComm(ctx context.Context, cfg ame.Config) (*Comm, error) {
	backend, err := ame.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return newComm(backend, newOptions(nil), Info{Rank: cfg.Rank, Size: cfg.Size}), nil
}

// run runs body on all ranks.
func (m *modelJob) run(t *testing.T, body func(ctx context.Context, c *Comm) error) {
	began := time.Now()
	errs := make([]error, m.size)
	var wg sync.WaitGroup
	for rank := range m.size {
		wg.Go(func() {
			c, err := scalingComm(t.Context(), m.cfg[rank])
			if err != nil {
				errs[rank] = err
				return
			}
			m.ends(began)
			m.note(c, "start")
			errs[rank] = errors.Join(body(t.Context(), c), c.Close())
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func (m *modelJob) ends(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = max(m.last, time.Since(began))
}

// note ends a step, on rank 0, when all is quiet, and counts from 0 again. All ranks
// call it, and leave it at the same time.
func (m *modelJob) note(c *Comm, name string) {
	toNextBeat()
	if c.IsRoot() {
		m.steps = append(m.steps, m.sinceNote(name))
	}
	toNextBeat()
}

// sinceNote is what rank 0 has sent since the last note.
func (m *modelJob) sinceNote(name string) step {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &m.root.Traffic
	s := step{name, m.last, t.Writes.Swap(0), t.Out.Swap(0), t.In.Swap(0)}
	m.last = 0
	return s
}

func toNextBeat() {
	now := time.Now()
	time.Sleep(now.Truncate(beat).Add(beat).Sub(now))
}

// step takes all ranks through one, twice: the first time connections are opened.
func (m *modelJob) step(c *Comm, name string, do func() error) error {
	for _, name := range []string{name + ", first", name} {
		began := time.Now()
		if err := do(); err != nil {
			return err
		}
		m.ends(began)
		m.note(c, name)
	}
	return nil
}

// scale measures a job of some size.
func scale(t *testing.T, size int) []step {
	var steps []step
	synctest.Test(t, func(t *testing.T) {
		m := newModelJob(size)
		small, large := make([]byte, 1<<10), make([]byte, 1<<20)
		items := slices.Values(numbers(*itemsPerRank * size)) // only rank 0 looks at them
		m.run(t, func(ctx context.Context, c *Comm) error {
			return errors.Join(
				m.step(c, "barrier", func() error { return c.Barrier(ctx) }),
				m.step(c, "bcast 1 KiB", func() error { _, err := Bcast(ctx, c, small); return err }),
				m.step(c, "bcast 1 MiB", func() error { _, err := Bcast(ctx, c, large); return err }),
				m.step(c, "allreduce", func() error { _, err := Allreduce(ctx, c, 1, Sum); return err }),
				m.step(c, "gather", func() error { _, err := Gather(ctx, c, 1); return err }),
				m.step(c, "map", func() error {
					for _, err := range MapFromRoot(ctx, c, items, func(_ context.Context, i int) (int, error) { return i, nil }) {
						if err != nil {
							return err
						}
					}
					return nil
				}),
			)
		})
		steps = m.steps
	})
	return steps
}

// What rank 0 sends for a start and for each collective is a number that its
// algorithm gives, whatever the machine: if it changes, the product has.
func TestScaling(t *testing.T) {
	if *scalingRanks > 0 {
		t.Logf("%d ranks on %d nodes:\n%s", *scalingRanks, (*scalingRanks+ranksPerNode-1)/ranksPerNode, table(scale(t, *scalingRanks)))
		return
	}
	for size, want := range map[int]map[string]int64{
		// A rank costs a challenge, an answer and the directory at the start, and rank
		// 0 reaches all of up to 16 directly. Doubling takes log p messages.
		8: {"start": 3 * 7, "barrier": 7, "bcast 1 KiB": 7, "bcast 1 MiB": 7 * largeWrites, "allreduce": 3, "gather": 0},
		// Of 256 ranks rank 0 speaks to log p.
		256: {"start": 3 * 255, "barrier": 8, "bcast 1 KiB": 8, "bcast 1 MiB": 8 * largeWrites, "allreduce": 8, "gather": 0},
	} {
		steps := scale(t, size)
		t.Log(size, "ranks:\n"+table(steps))
		for _, s := range steps {
			writes, ok := want[s.name]
			if ok {
				assert.Equal(t, writes, s.writes, "%s of %d ranks", s.name, size)
			}
			delete(want, s.name)
			if s.name == "map" { // windows grow: a message is not for one item
				assert.Less(t, s.writes, int64(*itemsPerRank*size/5), "map of %d ranks", size)
			}
		}
		assert.Empty(t, want)
	}
}

// largeWrites is how many writes a payload is that goes by itself: a word that says
// so, a header and the body.
const largeWrites = 3

func table(steps []step) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "step\ttime\trank 0: writes\tbytes out\tbytes in\t")
	for _, s := range steps {
		fmt.Fprintf(w, "%s\t%v\t%d\t%d\t%d\t\n", s.name, s.took.Round(100*time.Nanosecond), s.writes, s.out, s.in)
	}
	w.Flush()
	return b.String()
}
