package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// isFirst says whether this process is not known to be another rank than 0: of
// what goes wrong before ranks know each other, one says so.
func isFirst(env environ.Env) bool {
	for _, name := range []string{"AME_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"} {
		if rank, ok := environ.Lookup(env, name); ok && rank != "0" {
			return false
		}
	}
	return true
}

// run is dlp map on this rank.
func (o *options) run() error {
	if o.dryRun {
		if !isFirst(os.LookupEnv) {
			return nil
		}
		return o.printCommands(os.Stdout)
	}
	if err := o.launchSelf(os.LookupEnv); err != nil {
		return err
	}
	status := 0
	dlp.Main(func(ctx context.Context, world *dlp.Comm) (err error) {
		status, err = o.onRank(ctx, world)
		return err
	}, dlp.StopGrace(o.grace+stopReserve))
	if status != 0 {
		return &launch.StatusError{Status: status}
	}
	return nil
}

// onRank is the map on one rank of a job, and returns the exit status.
func (o *options) onRank(ctx context.Context, world *dlp.Comm) (int, error) {
	slots, err := survey(ctx, world, o)
	if errors.As(err, new(tooFewGPUs)) && !world.IsRoot() {
		return statusFailed, nil // rank 0 says so
	}
	if err != nil {
		return 0, err
	}
	counts, err := dlp.Gather(ctx, world, len(slots))
	if err != nil {
		return 0, err
	}
	runner, err := newRunner()
	if err != nil {
		return 0, err
	}
	defer runner.Close()
	if o.resultsLocal != "" {
		if err := os.MkdirAll(o.resultsLocal, 0o777); err != nil {
			return 0, fmt.Errorf("--results-local: %w", err)
		}
	}
	h := newHalt(world.Stopping())
	defer h.end()
	var c *collector
	refused, err := dlp.CallOnRoot(ctx, world, func() (bool, error) {
		var err error
		if c, err = openCollector(o, world, runner, os.TempDir(), h.asked); err != nil {
			newPrinter().say("%v", err)
		}
		return err != nil, nil
	})
	if err != nil || refused {
		return statusFailed, err
	}
	m := &mapping{options: o, world: world, runner: runner, slots: slots, halt: h, collector: c}
	if c != nil {
		c.slots, c.busy = sum(counts), newBusy(world, counts)
	}
	if world.Size() > 1 {
		if m.comm, err = world.DupTolerant(ctx); err != nil {
			return 0, err
		}
		defer m.comm.Close()
	}
	return m.run(ctx)
}

// newRunner is what runs items on this rank.
func newRunner() (*run.Runner, error) {
	if info, err := os.Stat(os.TempDir()); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("TMPDIR is %s, which is no directory here: output of items is kept there for a while", os.TempDir())
	}
	return run.NewRunner(os.TempDir())
}

func sum(numbers []int) (sum int) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

// mapping is a running map on one rank.
type mapping struct {
	*options
	world     *dlp.Comm
	comm      *dlp.Comm // for output; nil if there is one rank
	runner    *run.Runner
	slots     []slot
	halt      *halt
	collector *collector // of rank 0; else nil
	busySlots func() int // of this rank
}

// run is the loop.
func (m *mapping) run(ctx context.Context) (int, error) {
	defer context.AfterFunc(ctx, m.runner.Kill)() // a second signal, or the grace is over
	working, end := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	helping, over := context.WithCancel(context.Background())
	defer over()
	courier := &courier{options: m.options, ctx: helping, comm: m.comm, rank: m.world.Rank(), runner: m.runner}
	if m.collector != nil {
		courier.depot = m.collector.depot
		if m.comm != nil {
			helpers.Go(func() { courier.depot.receive(helping, m.comm) })
		}
		m.halt.kill = func() { m.endAll(end) }
		helpers.Go(func() { m.sayStopping(helping) })
	} else {
		helpers.Go(func() {
			if _, _, err := dlp.Recv[int](helping, m.comm, 0, tagEnd); err == nil {
				end(errFailFast)
			}
		})
	}
	s := newSite(m.options, m.world, m.runner, m.slots, courier)
	defer s.close()
	if m.progress && m.comm != nil {
		if m.collector != nil {
			helpers.Go(func() { m.collector.busy.hear(helping, m.comm) })
		} else {
			helpers.Go(func() { m.tellBusy(helping, s.busySlots) })
		}
	}
	m.busySlots = s.busySlots
	work := s.work
	if m.failFast {
		work = func(ctx context.Context, t task) (report, error) { return s.workUntil(ctx, working, t) }
	}
	if m.collector == nil {
		for _, err := range m.loop(ctx, nil, work) {
			if !errors.Is(err, dlp.ErrStopped) {
				return 0, err
			}
		}
		return 0, nil
	}
	return m.collect(ctx, work)
}

// sayStopping says what a signal means, when there is one.
func (m *mapping) sayStopping(ctx context.Context) {
	select {
	case <-m.world.Stopping():
		m.collector.printer.say("asked to stop: nothing more is started, and what runs has %v to end; a second signal kills it", m.grace)
	case <-ctx.Done():
	}
}

var errFailFast = errors.New("another item has failed, and --fail-fast ends all")

// endAll ends what runs, on all ranks.
func (m *mapping) endAll(end context.CancelCauseFunc) {
	end(errFailFast)
	for rank := 1; rank < m.world.Size(); rank++ {
		// Who cannot be told is lost, and so is what runs there.
		_ = dlp.Send(context.Background(), m.comm, 0, rank, tagEnd)
	}
}

// collect is the loop on rank 0.
func (m *mapping) collect(ctx context.Context, work func(context.Context, task) (report, error)) (int, error) {
	c := m.collector
	stopShow := m.showProgress()
	var last, broken error
	for r, err := range m.loop(ctx, c.feeder.tasks, work) {
		if err != nil {
			last = err
			break
		}
		if err := c.take(r); err != nil && broken == nil {
			broken = err
			m.halt.ask()
		}
		failures := c.tally.failures
		if m.maxFailures > 0 && failures >= m.maxFailures || m.failFast && failures > 0 {
			m.halt.ask()
		}
		if m.failFast && failures > 0 {
			m.halt.killOnce()
		}
		c.depot.forget(m.world.Lost())
		c.busy.lose(m.world.Lost())
	}
	stopShow()
	broken = errors.Join(broken, c.close())
	return m.verdict(ctx, last, broken)
}

// verdict says what has become of the map, and returns the exit status.
func (m *mapping) verdict(ctx context.Context, last, broken error) (int, error) {
	c := m.collector
	given, all, err := c.feeder.state()
	if err != nil {
		broken = errors.Join(fmt.Errorf("items: %w", err), broken)
	}
	if ctx.Err() != nil { // a second signal, whatever the loop has made of it
		last = context.Cause(ctx)
	}
	if last != nil && !errors.Is(last, dlp.ErrStopped) {
		return 0, errors.Join(inWords(last), broken)
	}
	c.printer.text(c.tally.list())
	if c.list != nil && c.list.newline {
		c.printer.say("--failed %s: an item has a newline; with -0 such a list can be read again", m.failed)
	}
	if lost := m.world.Lost(); len(lost) > 0 {
		c.printer.say("lost rank %v", lost)
	}
	left := given - c.tally.done - c.tally.failures
	if !m.quiet {
		c.printer.say("%s", c.tally.summary(c.slots, given == 0 && all && broken == nil, last != nil || left > 0 || !all))
	}
	if c.feeder.ended() {
		c.printer.say("an item has failed: what follows #DLP BARRIER CHECK is not done")
	}
	switch {
	case broken != nil:
		c.printer.say("%v", broken)
		return statusFailed, nil
	case (last != nil || left > 0) && m.halt.byUser():
		c.printer.say("stopped before the end: %s", m.rest(left, all))
		return statusStopped, nil
	case c.tally.failures > 0 || left > 0:
		return statusFailed, nil
	}
	return 0, nil
}

// rest says what is left after a stop, and how it can be done.
func (m *mapping) rest(left int, all bool) string {
	text := counted(left, "item") + " not done"
	if !all {
		text = "not all items were read, and " + text
	}
	if m.journal != "" {
		text += "; the same command does the rest"
	}
	return text
}

// inWords is an error of the loop on rank 0 without the names of the loop's own
// functions, which say nothing to a user of dlp map.
func inWords(err error) error {
	var e *dlp.Error
	if errors.As(err, &e) && e.Op == "map" {
		return e.Err
	}
	return err
}
