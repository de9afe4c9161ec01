package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// work is one round. Each part checks its own results, and leaves nothing.
func work(ctx context.Context, world *dlp.Comm, round int, folder string) error {
	parts := []struct {
		name string
		do   func() error
	}{
		{"maps", func() error { return maps(ctx, world, round) }},
		{"split", func() error { return split(ctx, world) }},
		{"collectives", func() error { return collectives(ctx, world, round) }},
		{"messages", func() error { return messages(ctx, world) }},
		{"communicators", func() error { return communicators(ctx, world) }},
		{"services", func() error { return services(ctx, world) }},
		{"executor", func() error { return executor(ctx, world, filepath.Join(folder, "journal")) }},
	}
	for _, part := range parts {
		if err := part.do(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// body is a result of a size that depends on the item: some are large.
func body(item int) []byte { return bytes.Repeat([]byte{byte(item)}, 1+item%100*item%5000*10) }

func maps(ctx context.Context, world *dlp.Comm, round int) error {
	work := func(_ context.Context, item int) ([]byte, error) { return body(item), nil }
	options := [][]dlp.MapOption{nil, {dlp.RootWorks()}, {dlp.Slots(3)}}[round%3]
	items := numbers(500)
	got := 0
	for r, err := range dlp.MapUnordered(ctx, world, items, work, options...) {
		if err != nil {
			return err
		}
		if got++; !bytes.Equal(r.Value, body(items[r.Index])) {
			return fmt.Errorf("a wrong result of item %d", r.Index)
		}
	}
	if world.IsRoot() && got != len(items) {
		return fmt.Errorf("%d of %d results", got, len(items))
	}
	// One that rank 0 leaves in the middle.
	for r, err := range dlp.MapFromRoot(ctx, world, slices.Values(items), work, options...) {
		if err != nil {
			return err
		}
		if r.Index > 100 {
			break
		}
	}
	return nil
}

func split(ctx context.Context, world *dlp.Comm) error {
	sum := 0
	for n, err := range dlp.SplitManaged(ctx, world, numbers(1000)) {
		if err != nil {
			return err
		}
		sum += n
	}
	return expect(ctx, world, sum, 1000*999/2)
}

// expect compares the sum over all ranks.
func expect(ctx context.Context, c *dlp.Comm, part, want int) error {
	got, err := dlp.Allreduce(ctx, c, part, dlp.Sum)
	if err == nil && got != want {
		err = fmt.Errorf("the sum is %d, not %d", got, want)
	}
	return err
}

func collectives(ctx context.Context, world *dlp.Comm, round int) error {
	root := round % world.Size()
	large := make([]float64, 200_000)
	if world.Rank() == root {
		for i := range large {
			large[i] = float64(i)
		}
	}
	if err := dlp.BcastInto(ctx, world, large, dlp.Root(root)); err != nil {
		return err
	}
	if err := dlp.AllreduceInto(ctx, world, large, dlp.Max); err != nil {
		return err
	}
	if large[len(large)-1] != float64(len(large)-1) {
		return errors.New("wrong numbers")
	}
	all, err := dlp.Allgather(ctx, world, fmt.Sprint("rank ", world.Rank()))
	if err != nil {
		return err
	}
	if _, err := dlp.Alltoall(ctx, world, all); err != nil {
		return err
	}
	if _, err := dlp.Gather(ctx, world, map[string]int{"rank": world.Rank()}, dlp.Root(root)); err != nil {
		return err
	}
	if _, err := world.Ibarrier().Wait(ctx); err != nil {
		return err
	}
	before, err := dlp.Scan(ctx, world, 1, dlp.Sum)
	if err == nil && before != world.Rank()+1 {
		err = fmt.Errorf("a scan of ones is %d", before)
	}
	return err
}

// messages go round a ring, small and large ones at once.
func messages(ctx context.Context, world *dlp.Comm) error {
	right, left := (world.Rank()+1)%world.Size(), (world.Rank()+world.Size()-1)%world.Size()
	var requests []*dlp.Request
	got := make([][]byte, 20)
	for tag := range got {
		requests = append(requests, dlp.Irecv(world, &got[tag], left, tag))
	}
	for tag := range got {
		requests = append(requests, dlp.Isend(world, make([]byte, 1<<tag), right, tag))
	}
	for _, r := range requests {
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
	}
	for tag, b := range got {
		if len(b) != 1<<tag {
			return fmt.Errorf("%d bytes, not %d", len(b), 1<<tag)
		}
	}
	return nil
}

// communicators come and go.
func communicators(ctx context.Context, world *dlp.Comm) error {
	dup, err := world.Dup(ctx)
	if err != nil {
		return err
	}
	if err := expect(ctx, dup, 1, dup.Size()); err != nil {
		return err
	}
	half, err := dup.Split(ctx, world.Rank()%2, world.Rank())
	if err != nil {
		return err
	}
	sum := 0
	for n, err := range dlp.SplitManaged(ctx, half, numbers(50)) {
		if err != nil {
			return err
		}
		sum += n
	}
	if err := expect(ctx, half, sum, 50*49/2); err != nil {
		return err
	}
	return errors.Join(half.Close(), dup.Close())
}

// services are asked by all ranks.
func services(ctx context.Context, world *dlp.Comm) error {
	counter, err := dlp.NewCounter(ctx, world)
	if err != nil {
		return err
	}
	lock, err := dlp.NewMutex(ctx, world)
	if err != nil {
		return err
	}
	sum := 0
	for {
		n, err := counter.NextIndex(ctx)
		if err != nil {
			return err
		}
		if n >= 200 {
			break
		}
		sum += n
	}
	if err := lock.Lock(ctx); err != nil {
		return err
	}
	if err := lock.Unlock(); err != nil {
		return err
	}
	if err := expect(ctx, world, sum, 200*199/2); err != nil {
		return err
	}
	return errors.Join(counter.Close(), lock.Close())
}

// executor does tasks, some of which fail, run out of time or are cancelled, with a
// journal.
func executor(ctx context.Context, world *dlp.Comm, journal string) error {
	double := dlp.NewFunc("double", func(_ context.Context, n int) (int, error) {
		if n == 13 {
			return 0, errors.New("13 does not double")
		}
		return 2 * n, nil
	})
	idle := dlp.NewFunc("idle", func(ctx context.Context, d time.Duration) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	if world.IsRoot() {
		defer os.Remove(journal)
	}
	return dlp.Execute(ctx, world, func(ctx context.Context, ex *dlp.Executor) error {
		late := idle.Submit(ex, 0, dlp.TaskTimeout(time.Millisecond))
		var all []*dlp.Future[int]
		for n := range 300 {
			all = append(all, double.Submit(ex, n))
		}
		all[299].Cancel()
		for n, future := range all[:299] {
			if got, err := future.Result(ctx); (err != nil) != (n == 13) || err == nil && got != 2*n {
				return fmt.Errorf("task %d: %d, %w", n, got, err)
			}
		}
		if _, err := late.Result(ctx); err == nil {
			return errors.New("a task has not run out of time")
		}
		return nil
	}, double, idle, dlp.Slots(2), dlp.Journal(journal))
}
