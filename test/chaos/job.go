package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// overdue is how long a job may take. One whose ranks wait for each other
	// would take for ever.
	overdue = 3 * time.Minute

	// look is the pause between two looks at what the ranks do.
	look = 200 * time.Microsecond
)

// job is one run of the map with what is to happen in it.
type job struct {
	ameexec, program string
	plan             []event

	table     *table
	processes [ranks]*os.Process
	over      <-chan struct{} // closed when the launcher has ended
	outcome   outcome
	aside     sync.WaitGroup // events that take a while
	mu        sync.Mutex     // guards dead, in outcome
}

// run runs the job and checks what has come of it.
func (j *job) run(ctx context.Context) (*outcome, error) {
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "table")
	if j.table, err = newTable(path); err != nil {
		return nil, err
	}
	defer j.table.close()
	ctx, cancel := context.WithTimeout(ctx, overdue)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.ameexec, "--continue", "-n", fmt.Sprint(ranks), j.program, "rank", path)
	cmd.Cancel = func() error { j.stacks(); return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	j.over = over
	var happening sync.WaitGroup
	happening.Go(j.happen)
	err = cmd.Wait()
	close(over)
	happening.Wait()
	j.aside.Wait()
	j.outcome.took = time.Since(start)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("has not ended: %w\n%s%s", context.Cause(ctx), &stdout, &stderr)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	if err := j.outcome.judge(j.table, stdout.String(), cmd.ProcessState.ExitCode()); err != nil {
		return nil, fmt.Errorf("%w\n%s%s", err, &stdout, &stderr)
	}
	return &j.outcome, j.left()
}

// happen makes everything happen that is to.
func (j *job) happen() {
	for _, e := range j.plan {
		if !j.await(func() bool { return j.table.begun() >= e.at }) || !j.alive(e.rank) {
			continue
		}
		switch e.kind {
		case kill:
			j.kill(e.rank)
		case hunt:
			j.hunt(e.rank)
		case stop:
			j.aside.Go(func() { j.stop(e.rank, e.d) })
		case slow:
			j.aside.Go(func() { j.slow(e.rank, e.d) })
		case garbage:
			j.aside.Go(func() { pester(int(j.table.Ranks[e.rank].PID.Load()), e.seed) })
		}
	}
}

// await waits until something is so; false: the job is over.
func (j *job) await(so func() bool) bool {
	for !so() {
		select {
		case <-j.over:
			return false
		case <-time.After(look):
		}
	}
	return true
}

// process returns a handle of a rank's process, which stays that of this
// process when it is gone. It is called when the rank is in the map.
func (j *job) process(rank int) *os.Process {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.processes[rank] == nil {
		j.processes[rank], _ = os.FindProcess(int(j.table.Ranks[rank].PID.Load())) // never fails on Unix
	}
	return j.processes[rank]
}

func (j *job) alive(rank int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.outcome.died(rank)
}

// kill kills a rank while it works on an item, and notes which that was.
func (j *job) kill(rank int) (item int, ok bool) {
	if !j.await(func() bool { _, ok := j.table.at(rank); return ok }) {
		return 0, false
	}
	p := j.process(rank)
	if p.Kill() != nil {
		return 0, false
	}
	// It may do a little more before it dies.
	if !j.await(func() bool { return p.Signal(syscall.Signal(0)) != nil }) {
		return 0, false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	item, ok = j.table.at(rank)
	j.outcome.dead = append(j.outcome.dead, death{rank, item})
	return item, ok
}

// hunt kills a rank in a long item, and then the rank that has it next.
func (j *job) hunt(rank int) {
	long := func() bool {
		item, ok := j.table.at(rank)
		return ok && pause(item) > time.Millisecond
	}
	if !j.await(long) {
		return
	}
	item, ok := j.kill(rank)
	if !ok {
		return
	}
	next := rank
	j.await(func() bool {
		r, ok := j.table.with(item)
		if ok && r != rank {
			next = r
		}
		return next != rank || j.table.Ended[item].Load() != 0
	})
	if next != rank {
		j.kill(next)
	}
}

func (j *job) stop(rank int, d time.Duration) {
	p := j.process(rank)
	if p.Signal(syscall.SIGSTOP) == nil {
		time.Sleep(d)
		_ = p.Signal(syscall.SIGCONT) // it may have been killed
	}
}

// slow lets a rank run for a tenth of the time.
func (j *job) slow(rank int, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		j.stop(rank, 45*time.Millisecond)
		time.Sleep(5 * time.Millisecond)
	}
}

// stacks makes the ranks print where they stand, and end.
func (j *job) stacks() {
	for rank := range j.table.Ranks {
		if pid := j.table.Ranks[rank].PID.Load(); pid > 0 && j.alive(rank) {
			_ = j.process(rank).Signal(syscall.SIGCONT)
			_ = j.process(rank).Signal(syscall.SIGQUIT)
		}
	}
}

// left is an error if a rank has survived its job.
func (j *job) left() error {
	for rank := range j.table.Ranks {
		if pid := int(j.table.Ranks[rank].PID.Load()); pid > 0 && j.process(rank).Signal(syscall.Signal(0)) == nil {
			return fmt.Errorf("rank %d, process %d, is left", rank, pid)
		}
	}
	return nil
}
