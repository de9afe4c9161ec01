package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/dlp"
)

// output says what goes to stdout.
type output struct {
	ordered, json bool
	to            io.Writer
}

// hello is the program on each rank.
func hello(ctx context.Context, o output) error {
	start := time.Now()
	world, err := dlp.Init(ctx)
	if err != nil {
		return startError(err)
	}
	defer world.Close()
	took := time.Since(start)
	timeout, err := bootstrap.Timeout(os.LookupEnv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout,
		fmt.Errorf("not all ranks answered within %v of the start: is one of them stopped or very busy? (AME_TIMEOUT changes the time)", timeout))
	defer cancel()
	return show(ctx, world, took, o)
}

// startError adds where to look if a rank could not find its place in the job,
// unless the user is there already.
func startError(err error) error {
	var connect *ame.Error
	if errors.As(err, &connect) || bootstrap.Verbose(os.LookupEnv) {
		return err
	}
	return fmt.Errorf("%w (AME_VERBOSE=1 prints all methods and their reasons)", err)
}

// show is what follows once all ranks are connected. took is how long that was.
func show(ctx context.Context, world *dlp.Comm, took time.Duration, o output) error {
	r := newReport(world.Info(), took)
	if world.IsRoot() && !o.json {
		// Before the ranks talk, in case they cannot.
		if err := r.writeHead(o.to); err != nil {
			return err
		}
	}
	var err error
	if r.Ranks, err = talk(ctx, world); err != nil {
		return fmt.Errorf("the ranks cannot talk: %w", err)
	}
	switch {
	case !o.ordered && !o.json:
		err = writeGreeting(o.to, newMember(world.Info()), world.Size())
	case !world.IsRoot():
	case o.json:
		err = r.writeJSON(o.to)
	default:
		err = r.writeGreetings(o.to)
	}
	if err != nil {
		return err
	}
	if n := world.Info().Promised; n > world.Size() {
		return fmt.Errorf("%d ranks were announced and %d came: %s", n, world.Size(), r.advice())
	}
	return nil
}

// reply is what a rank answers to rank 0.
type reply struct {
	Number []byte // that rank 0 has sent
	Member member
}

// talk lets all ranks meet at a barrier, and rank 0 exchange a message with
// each of them. Rank 0 gets what every rank says about itself.
func talk(ctx context.Context, world *dlp.Comm) ([]member, error) {
	if err := world.Barrier(ctx); err != nil {
		return nil, err
	}
	number := make([]byte, 16)
	rand.Read(number) // never fails, crypto/rand
	sent, err := dlp.Bcast(ctx, world, number)
	if err != nil {
		return nil, err
	}
	replies, err := dlp.Gather(ctx, world, reply{sent, newMember(world.Info())})
	if err != nil {
		return nil, err
	}
	var members []member
	var errs []error
	for rank, r := range replies { // rank 0 alone has any
		if string(r.Number) != string(number) || r.Member.Rank != rank {
			errs = append(errs, fmt.Errorf("rank %d on %s: sent back another number or rank than its own", rank, r.Member.Host))
		}
		members = append(members, r.Member)
	}
	return members, errors.Join(errs...)
}
