package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"
)

// meetByFile runs the rendezvous of a job whose ranks share nothing but a
// directory. world holds rank, size and place of this process; meetByFile
// fills in the rest. name is the job's name for itself, for people.
//
// Rank 0 listens, writes the file, waits until all ranks have come and
// removes the file; it is gone too when ctx ends. The other ranks wait for the
// file and for rank 0 to prove that it wrote it. A file that is left of
// another job does no harm: nobody answers for it, and the ranks wait for the
// next one.
func meetByFile(ctx context.Context, env Env, world *World, name string, file rendezvousFile) error {
	if world.Rank != 0 {
		return world.follow(ctx, file)
	}
	if err := world.found(env, name, world.LocalSize == world.Size); err != nil || world.Size == 1 {
		return err
	}
	// A group, because its Accept can be left and taken up again later.
	listener, ok := world.Listener.(*listenerGroup)
	if !ok {
		listener = newListenerGroup([]net.Listener{world.Listener})
		world.Listener = listener
	}
	err := file.publish(invite(world))
	if err == nil {
		err = gather(ctx, listener, world.Key, world.Size, file.remove)
		if err != nil {
			file.remove()
		}
	}
	if err != nil {
		listener.Close()
		return fmt.Errorf("rendezvous file in %s: %w%s", file.dir, err, adviceFor(err))
	}
	return nil
}

// adviceFor is what to do about a directory that does not work.
func adviceFor(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ": do all ranks see this directory? Set AME_RENDEZVOUS_DIR to one on a shared file system, AME_TIMEOUT to wait longer"
	}
	return ": set AME_RENDEZVOUS_DIR to a directory that all ranks can write to"
}

// Times between two greetings at the same address.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// follow waits for the file and greets, again and again: the file may be of
// another job until ours replaces it, and the network may be slow to come up.
func (world *World) follow(ctx context.Context, file rendezvousFile) error {
	var text string
	var problem error // why the last try failed
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		wait, cancel := ctx, context.CancelFunc(func() {})
		if text != "" {
			wait, cancel = context.WithTimeout(ctx, retry)
		}
		newer, err := file.await(wait, text)
		cancel()
		if err != nil {
			problem = err
		}
		if ctx.Err() != nil {
			return world.notMet(ctx, file, problem)
		}
		if err != nil {
			continue
		}
		if newer != text {
			text, retry = newer, firstRetry
		}
		if problem = world.accept(text); problem != nil {
			continue
		}
		if problem = greet(ctx, world.Root, world.Key, world.Rank); problem == nil {
			return nil
		}
	}
}

// notMet says in one line what this rank has waited for.
func (world *World) notMet(ctx context.Context, file rendezvousFile, problem error) error {
	switch {
	case errors.Is(problem, fs.ErrNotExist):
		problem = fmt.Errorf("%s did not appear", file.path())
	case problem == nil:
		problem = fmt.Errorf("%s was not replaced by one of this job", file.path())
	}
	what := strings.ReplaceAll(problem.Error(), "\n", "; ")
	return fmt.Errorf("rendezvous with rank 0: %s: %w%s", what, context.Cause(ctx), adviceFor(ctx.Err()))
}
