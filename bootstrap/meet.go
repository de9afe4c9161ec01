package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/listen"
)

// exchange is what a launcher, a file system or a convention offers to ranks
// that want to meet: a place for each, and a way for a text from rank 0 to the
// others. It is to this package what upmi is to Flux.
type exchange interface {
	// place says who this process is.
	place() Place

	// host makes this process rank 0: it names the job, draws the key and
	// listens where the others will look for it. It is not called elsewhere.
	host(env Env) (Endpoint, net.Listener, error)

	// publish gives rank 0's text to the others. Where that takes a barrier it
	// blocks until all ranks are in it.
	publish(ctx context.Context, text string) error

	// fetch waits on another rank for a text of rank 0 other than have.
	fetch(ctx context.Context, have string) (string, error)

	// lasting says that the exchange stays of use until all ranks have joined:
	// rank 0 keeps it until then, and the others may find there, later, what
	// rank 0 publishes in place of what was left of another job.
	lasting() bool

	// close ends the exchange; failure is why this rank will not take part.
	close(ctx context.Context, failure error) error
}

// Times after which the user hears that ranks are missing.
const (
	firstReminder = 10 * time.Second
	nextReminder  = 30 * time.Second
)

// meet runs the rendezvous over an exchange: rank 0 listens and publishes
// where, the others learn it, and all leave.
func meet(ctx context.Context, env Env, x exchange, tell func(string)) (*World, error) {
	world := &World{Place: x.place()}
	err := world.Place.check()
	switch {
	case err != nil:
	case world.Rank == 0:
		err = world.lead(ctx, env, x, tell)
	case x.lasting():
		world.Newer = newer(x)
	default:
		var text string
		if text, err = x.fetch(ctx, ""); err == nil {
			world.Root, err = parse(text, world.Place)
		}
	}
	if world.Size > 1 && world.Rank != 0 {
		world.Listen = func() (net.Listener, []string, error) {
			return listen.Open(env, world.oneNode(), listen.Ports{})
		}
	}
	if err == nil && x.lasting() {
		world.release = func(failure error) error { return x.close(context.Background(), failure) }
		return world, nil
	}
	if err = errors.Join(err, x.close(ctx, err)); err != nil {
		world.abandon()
		return nil, err
	}
	return world, nil
}

// lead is rank 0's part. If it cannot listen it publishes that, so that all end
// with the reason and not by a timeout; but not in a lasting exchange, where
// nobody would clear it away.
func (w *World) lead(ctx context.Context, env Env, x exchange, tell func(string)) (failure error) {
	w.Root, w.Listener, failure = x.host(env)
	if w.Size == 1 || failure != nil && x.lasting() {
		return failure
	}
	text := invite(w.Root, w.Size)
	if failure != nil {
		text = apologize(failure)
	}
	stop := remind(tell, w.Size)
	defer stop()
	return errors.Join(failure, x.publish(ctx, text))
}

// newer returns what World.Newer is over a lasting exchange. What cannot be
// understood may be of another job, so it is passed over.
func newer(x exchange) func(context.Context) (Endpoint, error) {
	var text string // read last
	var problem error
	return func(ctx context.Context) (Endpoint, error) {
		for {
			next, err := x.fetch(ctx, text)
			if err != nil && problem != nil {
				err = fmt.Errorf("%w; %w", problem, err)
			}
			if err != nil {
				return Endpoint{}, err
			}
			text = next
			var root Endpoint
			if root, problem = parse(text, x.place()); problem == nil {
				return root, nil
			}
		}
	}
}

// remind tells the user, now and then until stop is called, that the ranks are
// not all there. A launcher's barrier does not tell which have come.
func remind(tell func(string), size int) (stop func()) {
	if tell == nil {
		return func() {}
	}
	start := time.Now()
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		timer := time.NewTimer(firstReminder)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
				tell(fmt.Sprintf("after %v: %d ranks are expected and not all have come; the launcher does not tell which are missing",
					time.Since(start).Round(100*time.Millisecond), size))
				timer.Reset(nextReminder)
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}
