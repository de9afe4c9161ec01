package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

// launcherMain is the second process: parent of the ranks.
func launcherMain() int {
	launch.Rename(launcherName)
	// Handled here means default for the ranks. A broken pipe is an error of a
	// write; the rest comes from people who take us for ameexec.
	signals := make(chan os.Signal, 16)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	socket := os.NewFile(watchDescriptor, "ameexec")
	syscall.CloseOnExec(watchDescriptor)
	p, orders, err := receivePlan(socket)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: started by ameexec only\n", launcherName)
		return statusError
	}
	if err := adopt(); err != nil {
		fmt.Fprintf(os.Stderr, "ameexec: subreaper: %v\n", err)
		return statusError
	}
	out, err := newOutput(p)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ameexec: %v\n", err)
		return statusError
	}
	l := &launcher{
		plan:    p,
		output:  out,
		log:     slog.New(slog.DiscardHandler),
		orders:  orders,
		signals: signals,
		ranks:   make(map[int]int),
		blamed:  make(chan blame, p.size()),
		memory:  watchMemory("/"),
	}
	if p.Debug {
		l.log = slog.New(slog.NewTextHandler(out.own, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: dropTime}))
	}
	return l.run()
}

func dropTime(groups []string, attr slog.Attr) slog.Attr {
	if attr.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return attr
}

// launcher is the state of a running job. One goroutine has it, which waits
// for nothing but events: no reader of the output may hold up the end of a job.
type launcher struct {
	plan     *plan
	output   *output
	log      *slog.Logger
	services []service
	orders   <-chan order
	signals  <-chan os.Signal
	blamed   chan blame
	timeout  <-chan time.Time
	reaper   *reaper
	memory   memory

	ranks   map[int]int // pid -> rank of those that run
	groups  []int       // process groups of all ranks
	verdict launch.Verdict
	mpi     mpiState
	ending  ending
}

// run starts the ranks and returns the exit status of the job.
func (l *launcher) run() int {
	channel := control.New(control.Config{
		Job: l.plan.Job, Host: l.plan.Host, Size: l.plan.size(), Apps: l.plan.applications(), Logger: l.log,
		Progress: l.output.display(), Lost: l.lost,
	})
	l.services = []service{channel}
	if l.plan.PMI {
		server, err := newPMIService(l.plan, l.output)
		if err != nil {
			l.output.say("%v", err)
			return statusError
		}
		l.services = append(l.services, server)
		l.mpi.server, l.mpi.failed = server, server.failed
		l.mpi.silence = time.After(mpiSilence)
	}
	defer func() {
		for _, service := range l.services {
			service.Close()
		}
	}()
	l.log.Debug("start", "job", l.plan.Job, "ranks", l.plan.size(), "method", "ame", "launcher", os.Getpid(), "front", os.Getppid())
	l.reaper = newReaper(l.plan.size())
	if l.plan.Timeout > 0 {
		l.timeout = time.After(l.plan.Timeout)
	}
	if err := l.startAll(); err != nil {
		l.output.say("%v", err)
		l.verdict.Settle(statusOf(err))
		l.killAll()
	}
	l.reaper.allStarted()
	os.Stdin.Close()
	for l.step() {
	}
	l.hearBlame()
	l.explainSilence()
	l.summary()
	l.drain()
	return l.verdict.Status()
}

// startAll starts the ranks in their order, up to the first that fails.
func (l *launcher) startAll() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	s := spawner{plan: l.plan, output: l.output, services: l.services, null: null}
	s.environ = append(nesting.Clean(os.Environ()), shareOfQuota("/", l.plan.size())...)
	if l.plan.BindCores {
		bind, cores, undo, err := binder()
		if err != nil {
			return err
		}
		defer undo()
		if size := l.plan.size(); size > cores {
			l.output.say("--bind-to core: %s for %d ranks: rank %d begins again at the first one", count(cores, "core", "cores"), size, cores)
		}
		s.bind = bind
	}
	rank := 0
	for _, program := range l.plan.Programs {
		for range program.Ranks {
			pid, err := s.spawn(rank, program)
			if err != nil {
				return fmt.Errorf("start of rank %d: %w", rank, err)
			}
			l.ranks[pid] = rank
			l.groups = append(l.groups, pid)
			l.reaper.childStarted()
			l.log.Debug("started", "rank", rank, "pid", pid, "program", program.Path)
			rank++
		}
	}
	return nil
}
