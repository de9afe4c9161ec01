package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

// launcherMain is the second process: parent of the ranks.
func launcherMain() int {
	rename(launcherName)
	// Handled here means default for the ranks. A broken pipe is an error of a
	// write; the rest comes from people who take us for ameexec.
	signals := make(chan os.Signal, 16)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
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

// launcher is the state of a running job.
type launcher struct {
	plan     *plan
	output   *output
	log      *slog.Logger
	services []service
	orders   <-chan order
	signals  <-chan os.Signal
	reaper   *reaper

	ranks      map[int]int // pid -> rank of those that run
	groups     []int       // process groups of all ranks
	verdict    verdict
	interrupts int
	reprieve   <-chan time.Time // when the ranks are to be asked to terminate
	stopping   bool             // the ranks were asked to terminate
	kill       <-chan time.Time // when the grace is over
	sweeping   *time.Ticker     // nil: not yet
	sweepEnd   time.Time
	hopeless   bool // the reader of the output is gone or must not be waited for
	orphaned   bool // the front is gone
	stopped    int  // ranks that ended because we stopped them, for another one
	mpi        mpiState
}

// run starts the ranks and returns the exit status of the job.
func (l *launcher) run() int {
	channel := control.New(control.Config{
		Job: l.plan.Job, Host: l.plan.Host, Size: l.plan.size(), Apps: l.plan.applications(), Logger: l.log,
	})
	l.services = []service{channel}
	if l.plan.PMI {
		server, err := newPMIService(l.plan)
		if err != nil {
			l.output.say("%v", err)
			return statusError
		}
		l.services = append(l.services, server)
		l.mpi.failed = server.failed
	}
	defer func() {
		for _, service := range l.services {
			service.Close()
		}
	}()
	l.log.Debug("start", "job", l.plan.Job, "ranks", l.plan.size(), "method", "ame", "launcher", os.Getpid(), "front", os.Getppid())
	l.reaper = newReaper(l.plan.size())
	if err := l.startAll(); err != nil {
		l.output.say("%v", err)
		l.verdict.settle(statusOf(err))
		l.killAll()
	}
	l.reaper.allStarted()
	os.Stdin.Close()
	l.loop()
	l.summary()
	l.output.finish(l.patience())
	l.output.own.Close()
	return l.verdict.status
}

// startAll starts the ranks in their order, up to the first that fails.
func (l *launcher) startAll() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	s := spawner{plan: l.plan, output: l.output, services: l.services, environ: nesting.Clean(os.Environ()), null: null}
	if l.plan.BindCores {
		bind, undo, err := binder()
		if err != nil {
			return err
		}
		defer undo()
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

// loop lasts until no process of the job is left.
func (l *launcher) loop() {
	var timeout <-chan time.Time
	if l.plan.Timeout > 0 {
		timeout = time.After(l.plan.Timeout)
	}
	for {
		var sweepTick <-chan time.Time
		if l.sweeping != nil {
			sweepTick = l.sweeping.C
		}
		select {
		case e, ok := <-l.reaper.exits:
			if !ok {
				return
			}
			l.ended(e)
		case o, ok := <-l.orders:
			if !ok {
				l.frontGone()
				continue
			}
			l.forward(o.Signal)
		case s := <-l.signals:
			l.forward(s.(syscall.Signal))
		case failure := <-l.mpi.failed:
			l.mpiFailed(failure)
		case <-l.mpi.doubtEnd:
			l.believe()
		case err := <-l.output.failure:
			l.outputFailed(err)
		case <-l.reprieve:
			l.stop()
		case <-timeout:
			l.output.say("timeout: %v have passed", l.plan.Timeout)
			l.verdict.settle(statusTimeout)
			l.hopeless = true
			l.stop()
		case <-l.kill:
			l.killAll()
		case <-sweepTick:
			if sweep(l.groups, nil) > 0 && time.Now().After(l.sweepEnd) {
				l.output.say("some processes do not die of SIGKILL, giving up after %v", sweepLimit)
				return
			}
		}
	}
}

// ended takes note of a process that is gone.
func (l *launcher) ended(e exit) {
	rank, isRank := l.ranks[e.pid]
	if !isRank {
		return // one that a rank left behind
	}
	delete(l.ranks, e.pid)
	how := describeStatus(e.status)
	l.log.Debug("ended", "rank", rank, "pid", e.pid, "how", how)
	for _, service := range l.services {
		service.Exited(rank, how)
	}
	failure, ownFault := l.verdict.add(e.status)
	switch {
	case failure && l.mpi.told(rank):
	case failure && ownFault:
		l.output.say("rank %d (pid %d) on %s: %s", rank, e.pid, l.plan.Host, how)
	case failure && !l.mpi.blames(rank):
		l.stopped++
	}
	if failure && !l.plan.Continue && l.reprieve == nil {
		l.reprieve = time.After(reprieve)
	}
	if l.mpi.doubts(rank) {
		l.believe()
	}
	if len(l.ranks) == 0 {
		l.killAll() // what the ranks left behind
	}
}

// forward passes a signal on to every rank's process group.
func (l *launcher) forward(s syscall.Signal) {
	l.log.Debug("signal", "signal", s)
	if s == syscall.SIGINT {
		if l.interrupts++; l.interrupts > 1 {
			l.verdict.settle(statusSignal + int(syscall.SIGINT))
			l.hopeless = true
			l.killAll()
			return
		}
	}
	l.send(s)
}

// send signals the process group of every rank that runs.
func (l *launcher) send(s syscall.Signal) {
	l.verdict.expect(s)
	for pid := range l.ranks {
		syscall.Kill(-pid, s)
	}
}

// reprieve is how long the others have to end by themselves when a rank has
// failed. The first to end is often not the one at fault: that one told the
// others, and then prints what has happened to it, such as the stack of a panic.
const reprieve = 100 * time.Millisecond

// stop asks all ranks to terminate; after the grace they are killed.
func (l *launcher) stop() {
	if l.stopping {
		return
	}
	l.stopping = true
	l.send(syscall.SIGTERM)
	l.send(syscall.SIGCONT) // who is stopped must run to terminate
	l.kill = time.After(l.plan.Grace)
}

// killAll kills everything that descends from this process, now and until
// nothing is left.
func (l *launcher) killAll() {
	if l.sweeping != nil {
		return
	}
	l.stopping = true
	l.send(syscall.SIGKILL)
	sweep(l.groups, nil)
	l.sweeping = time.NewTicker(sweepPause)
	l.sweepEnd = time.Now().Add(sweepLimit)
}

// frontGone ends a job whose front was killed: at once, for nobody waits.
func (l *launcher) frontGone() {
	l.orders = nil
	l.orphaned = true
	l.verdict.settle(statusSignal + int(syscall.SIGKILL))
	l.killAll()
}

// outputFailed ends a job whose output nobody takes.
func (l *launcher) outputFailed(err error) {
	l.hopeless = true
	if brokenPipe(err) {
		l.verdict.settle(statusSignal + int(syscall.SIGPIPE)) // as if it had hit a program
	} else {
		l.output.say("output: %v", err)
		l.verdict.settle(statusError)
	}
	l.stop()
}

// summary says how many ranks were stopped because of the first failure.
func (l *launcher) summary() {
	switch {
	case l.stopped == 0 || l.orphaned:
	case l.stopped == 1:
		l.output.say("stopped one other rank")
	default:
		l.output.say("stopped %d other ranks", l.stopped)
	}
}

// linger is how long the output is read after all processes are gone: one that
// got away may hold a pipe open.
const linger = 100 * time.Millisecond

// patience returns how long to wait for the ranks' output and its reader.
func (l *launcher) patience() (time.Duration, time.Duration) {
	if l.hopeless || l.orphaned {
		return linger, time.Second
	}
	return linger, 0
}
