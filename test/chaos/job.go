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

	// heartbeat is how long a rank may stand still. The machine may be busy.
	heartbeat = 4 * time.Second
)

// job is one run of the map with what is to happen in it.
type job struct {
	ameexec, program string
	plan             []event
	linked           bool // the ranks reach rank 0 through this process

	table     *table
	links     *links
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
	var how string
	if j.linked {
		if j.links, err = newLinks(); err != nil {
			return nil, err
		}
		defer j.links.close()
		how = j.links.text()
	}
	ctx, cancel := context.WithTimeout(ctx, overdue)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.ameexec, "--continue", "-n", fmt.Sprint(ranks), j.program, "rank", path, how)
	cmd.Env = append(os.Environ(), "AME_HEARTBEAT="+heartbeat.String())
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
		case halt:
			j.halt(e.rank, func() {})
		case cut:
			j.halt(e.rank, func() {
				j.links.of[e.rank].sever()
				j.outcome.cut++
			})
		case delay:
			j.aside.Go(func() { j.links.of[e.rank].slow(e.late, e.d) })
		case stop:
			j.aside.Go(func() { j.stop(e.rank, e.d) })
		case slow:
			j.aside.Go(func() { j.slow(e.rank, e.d) })
		case garbage:
			j.aside.Go(func() { pester(int(j.table.Ranks[e.rank].PID.Load()), e.seed) })
		}
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
