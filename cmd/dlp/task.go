package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/command"
	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

// task is an item on its way to the rank that works on it.
type task struct {
	Index   int // of the item, from 0
	Columns []string
}

func (t task) item() source.Item { return source.Item{Columns: t.Columns} }

// report is what has become of an item.
type report struct {
	Index     int
	Attempt   int
	Slot      int
	Pid       int
	Status    int // of its process; see run.Result
	Signal    int
	Started   int64 // in ns since 1970, by the clock of its node
	Took      time.Duration
	TimedOut  bool
	CannotRun bool      // the program is missing on this node
	Note      string    // why there was no process, or what else went wrong
	Tail      string    // the last lines of stderr, if it failed
	Sizes     [2]int64  // of stdout and stderr, in bytes
	Output    [2][]byte // those, unless they go another way
	Apart     bool      // they go another way
	Item      string    // short, for a journal; else empty
	Host      string    // the same
	Lines     int       // pieces of it that are printed as they come
}

func (r *report) failed() bool { return r.Status != 0 || r.Note != "" }

// errInterrupted is of an item that a signal has ended which asks all processes
// of the job to stop: it is not done, and has not failed either.
var errInterrupted = fmt.Errorf("interrupted: %w", context.Canceled)

// site is one rank's side of the map.
type site struct {
	*options
	world    *dlp.Comm
	runner   *run.Runner
	slots    []slot
	environ  []string // of all items
	gpus     string   // the variable that lists them
	stopping <-chan struct{}
	courier  *courier
	workers  *workers // of --worker; else nil

	working    atomic.Int64 // slots
	reluctance reluctance
}

func newSite(o *options, world *dlp.Comm, runner *run.Runner, slots []slot, courier *courier) *site {
	s := &site{options: o, world: world, runner: runner, slots: slots, stopping: world.Stopping(), courier: courier}
	s.environ = launch.Overlay(nesting.Clean(os.Environ()), "DLP_RANK="+strconv.Itoa(world.Rank()))
	if _, set := os.LookupEnv("OMP_NUM_THREADS"); !set {
		s.environ = append(s.environ, "OMP_NUM_THREADS="+strconv.Itoa(o.cpusPerItem))
	}
	if _, inJob := os.LookupEnv("SLURM_JOB_ID"); inJob {
		s.environ = launch.Overlay(s.environ, onThisNode...)
	}
	s.gpus, _ = gpuVariable(os.LookupEnv)
	if o.worker != "" {
		s.workers = newWorkers(s)
	}
	return s
}

// onThisNode keeps an mpiexec that is an item from asking Slurm for steps on all
// nodes of the job: MPICH and Intel MPI, Open MPI 4, and 5.
var onThisNode = []string{
	"HYDRA_LAUNCHER=fork", "HYDRA_RMK=user", "I_MPI_HYDRA_BOOTSTRAP=fork", "I_MPI_HYDRA_RMK=user",
	"OMPI_MCA_ras=^slurm", "OMPI_MCA_plm=^slurm", "PRTE_MCA_ras=^slurm", "PRTE_MCA_plm=^slurm",
}

// maxItemVariable is how long an item may be to be in the environment, of which
// the kernel takes 128 KiB in one piece (execve(2), MAX_ARG_STRLEN).
const maxItemVariable = 100 << 10

func (s *site) environOf(t task, slot, attempt int) []string {
	env := append(s.slotEnviron(slot), "DLP_INDEX="+strconv.Itoa(t.Index), "DLP_ATTEMPT="+strconv.Itoa(attempt))
	if text := t.item().Text(); len(text) <= maxItemVariable && !strings.Contains(text, "\x00") {
		env = append(env, "DLP_ITEM="+text)
	}
	return env
}

// slotEnviron is the environment of all processes of a slot.
func (s *site) slotEnviron(slot int) []string {
	env := append(s.environ[:len(s.environ):len(s.environ)], "DLP_SLOT="+strconv.Itoa(slot))
	if gpus := s.slots[slot].gpus; gpus != nil {
		env = launch.Overlay(env, s.gpus+"="+strings.Join(gpus, ","))
	}
	return env
}

// close ends what stays between items.
func (s *site) close() {
	if s.workers != nil {
		s.workers.close()
	}
}

// busySlots is how many slots work.
func (s *site) busySlots() int { return min(int(s.working.Load()), len(s.slots)) }

// work runs the command of an item, until it succeeds or its attempts are used up.
func (s *site) work(ctx context.Context, t task) (report, error) {
	s.working.Add(1)
	defer s.working.Add(-1)
	slot := dlp.Slot(ctx)
	for attempt := 1; ; attempt++ {
		once := s.once
		if s.workers != nil {
			once = s.workers.once
		}
		r, err := once(ctx, t, slot, attempt)
		if s.journal != "" {
			r.Item, r.Host = short(t.item().Text()), s.world.Info().Host
		}
		if err != nil || !r.failed() || r.CannotRun || attempt > s.retries || ctx.Err() != nil {
			return r, err
		}
	}
}

// workUntil is work that ends also when another context does.
func (s *site) workUntil(ctx, other context.Context, t task) (report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(other, func() { cancel(context.Cause(other)) })()
	return s.work(ctx, t)
}

// once runs the command of an item once.
func (s *site) once(ctx context.Context, t task, slot, attempt int) (report, error) {
	number := attempt + dlp.Attempt(ctx) - 1 // ranks may have been lost with it
	r := report{Index: t.Index, Attempt: number, Slot: slot, Started: time.Now().UnixNano()}
	args, err := s.template.Args(command.Values{Item: t.item(), Number: t.Index + 1, Slot: slot + 1})
	if err != nil {
		r.Note, r.Status = err.Error(), launch.StatusNotRunnable
		return r, nil
	}
	spec := run.Spec{
		Args: args, Environ: s.environOf(t, slot, number), Slot: slot, CPUs: s.slots[slot].cpus,
		Timeout: s.timeout, Grace: itemGrace,
	}
	if s.mode.Stdin {
		spec.Stdin = []byte(t.item().Text())
	}
	d, err := s.courier.begin(t, &spec)
	if err != nil {
		r.Note, r.Status = err.Error(), launch.StatusNotRunnable
		return r, nil
	}
	result := s.runner.Run(ctx, spec)
	r.take(result, s.timeout)
	r.CannotRun = s.cannotRun(result)
	if s.world.Size() > 1 {
		s.reluctance.heed(ctx, r.CannotRun)
	}
	err = s.interrupted(result)
	if err == nil && r.failed() && !r.CannotRun && attempt <= s.retries {
		d.drop(result) // there will be another one
		return r, nil
	}
	if err != nil {
		d.drop(result)
		return r, err
	}
	return r, d.end(&r, result)
}

// itemGrace is the time between SIGTERM and SIGKILL for an item whose time is up.
const itemGrace = 5 * time.Second

// take fills in what a process has come to.
func (r *report) take(result *run.Result, timeout time.Duration) {
	r.Started, r.Took, r.Pid = result.Started.UnixNano(), result.Took, result.Pid
	r.Status, r.Signal, r.TimedOut = result.Status, int(result.Signal), result.TimedOut
	for i, out := range result.Out {
		r.Sizes[i] = out.Size()
		if err := out.Err(); err != nil {
			r.Note = fmt.Sprintf("its output is not all kept: %v", err)
		}
	}
	if result.Err != nil {
		r.Note = result.Err.Error()
	}
	if result.TimedOut {
		r.Note = fmt.Sprintf("timeout: %v have passed", timeout)
	}
	if r.failed() {
		r.Tail = tail(result.Out[1])
	}
}

// signalWait is how long after an item has been ended by a signal that dlp may
// have got too the news of that may come.
const signalWait = time.Second

// interrupted returns an error if an item is not done because dlp is stopping.
// Slurm sends the signal that asks a job to stop to the items as well.
func (s *site) interrupted(result *run.Result) error {
	if result.Stopped {
		return errInterrupted
	}
	status := result.Status - launch.StatusSignal
	if result.TimedOut || status != int(syscall.SIGTERM) && status != int(syscall.SIGINT) && status != int(syscall.SIGUSR1) {
		return nil
	}
	timer := time.NewTimer(signalWait)
	defer timer.Stop()
	select {
	case <-s.stopping:
		return errInterrupted
	case <-timer.C:
		return nil
	}
}

const (
	tailBytes = 2048
	tailLines = 5
)

// tail is the end of an output: a few lines.
func tail(o *run.Output) string {
	buffer := make([]byte, min(tailBytes, o.Size()))
	n, _ := o.ReadAt(buffer, o.Size()-int64(len(buffer))) // what cannot be read is not shown
	lines := strings.Split(strings.TrimRight(string(buffer[:n]), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
