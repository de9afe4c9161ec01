package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// ErrNotDetected is wrapped by the reason a Method gives for not being
// available: its launcher did not start this process. Any other error of
// Method.Detect means that the launcher did start this process and that its
// environment is broken; Find then stops instead of trying the next method.
var ErrNotDetected = errors.New("not detected")

// Env looks up an environment variable, as os.LookupEnv does. Tests pass a map.
type Env func(name string) (value string, ok bool)

// Method is one way to learn who this process is and where rank 0 listens.
type Method interface {
	// Name is what AME_BOOTSTRAP selects the method by.
	Name() string

	// Detect says whether the launcher that this method serves has started
	// this process. It does no I/O beyond looking at inherited descriptors,
	// and its answer depends only on what is alike on every rank, so that all
	// ranks choose the same method. A nil error means available.
	Detect(env Env) error

	// Join runs the rendezvous. Rank 0 listens before it publishes anything;
	// the other ranks block until they know where it listens or ctx ends.
	Join(ctx context.Context, env Env) (*World, error)
}

// World is what a process must know to join its job.
type World struct {
	Method string // the method that found it, as Method.Name
	Rank   int    // 0 .. Size-1
	Size   int    // number of ranks of the job
	Job    string // the same on all ranks and on no other job; not secret
	Host   string // name of this node as the launcher knows it

	// Place of this process; -1 where the launcher does not tell.
	LocalRank int // rank among the ranks of this node
	LocalSize int // number of ranks on this node

	// Key is the job's secret, the same on all ranks. Empty if Size is 1.
	Key Key

	// Listener is open on rank 0 of a job with Size > 1 and nil elsewhere.
	// Whoever gets the World closes it.
	Listener net.Listener

	// RootHost is the name of rank 0's node, for messages; "" if unknown.
	RootHost string

	// Root holds the addresses (host:port) to try for rank 0. Nil if Size is 1.
	Root []string

	// Promised is how many ranks the environment announces when it announces
	// more than this job has, as in a batch script that forgot srun; else 0.
	Promised int

	// Warnings are for the user: what looks wrong with how the job was
	// started, and the remedy. They do not keep the job from running.
	Warnings []string

	release func() error
	doomed  context.Context // ends when the launcher knows that ranks will never come; or nil
}

// Watch returns a ctx that also ends when the launcher reports that the job
// cannot come up because a rank has ended before it joined; context.Cause
// then says which. Launchers other than ameexec do not tell. The caller calls
// stop when it no longer waits for ranks.
func (w *World) Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	stop = func() { cancel(nil) }
	if w.doomed == nil {
		return watched, stop
	}
	unhook := context.AfterFunc(w.doomed, func() { cancel(context.Cause(w.doomed)) })
	return watched, func() {
		unhook()
		cancel(nil)
	}
}

// Release gives back what the rendezvous kept for ranks still on their way,
// such as a file in a shared directory. It is called once, when all ranks
// are connected or have given up; a second call does nothing.
func (w *World) Release() error {
	if w.release == nil {
		return nil
	}
	release := w.release
	w.release = nil
	return release()
}

// check holds what every method promises about the World that it returns.
func (w *World) check() error {
	switch {
	case w.Size < 1, w.Rank < 0, w.Rank >= w.Size:
		return fmt.Errorf("the launcher says rank %d of %d ranks", w.Rank, w.Size)
	case w.Size > 1 && len(w.Key.secret) < KeySize:
		return fmt.Errorf("the launcher gave a key of %d bytes, at least %d are needed", len(w.Key.secret), KeySize)
	case w.Size > 1 && len(w.Root) == 0:
		return errors.New("the launcher gave no address of rank 0")
	case w.Size > 1 && w.Rank == 0 && w.Listener == nil:
		return errors.New("rank 0 does not listen")
	}
	return nil
}

// found makes the job that rank 0 invites the others to: it names the job
// after the launcher unless AME_JOB does, draws the key and listens.
func (w *World) found(env Env, launcher string, oneNode bool) (err error) {
	if w.Job, err = UserJob(env); err != nil {
		return err
	}
	if w.Job == "" {
		w.Job = NewJob(launcher)
	}
	if w.Size == 1 {
		return nil
	}
	w.Key = NewKey()
	w.Listener, w.Root, err = listen(env, oneNode, ports{})
	return err
}

// abandon gives up a World that nobody will get.
func (w *World) abandon() {
	if w.Listener != nil {
		w.Listener.Close()
	}
	w.Release()
}
