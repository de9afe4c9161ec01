package dlp

import (
	"context"
	"sync"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// beside runs rank 0's own work beside its loop body. The returned function ends
// the work's ctx and waits for it. An error of the work reaches the loop by way of
// the manager.
func beside(ctx context.Context, run func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var own sync.WaitGroup
	own.Go(func() { _ = run(ctx) })
	return func() {
		cancel()
		own.Wait()
	}
}

// yieldResults is rank 0's part: it runs the loop body on what comes.
func yieldResults[R any](ctx context.Context, l *managed, book *records, yield func(Result[R], error) bool) error {
	c, s := l.comm, l.server
	left := errLeft // until it is clear that yield has returned
	defer func() {
		if left == errLeft {
			left = c.fromRank(0, unreturned("left the loop body"))
		}
		s.Leave(left)
	}()
	use := func(item *loop.Item) (more bool) {
		r := resultOf[R](c, item)
		*item = loop.Item{} // lets go of the value
		if r.Err != nil && l.policy == Stop {
			s.Reject(r.Err)
			return true
		}
		return yield(r, nil)
	}
	more, err := book.replay(ctx, use)
	var lost error // why results are not safe
	for more && err == nil {
		results, over, failed := s.Take(ctx)
		if over {
			left = nil
			return failed
		}
		if err = failed; err != nil {
			break
		}
		if unsafe := book.record(results); unsafe != nil {
			if lost == nil {
				s.Reject(c.fromRank(0, unsafe))
			}
			lost = unsafe
			continue // what is not safe is not yielded
		}
		began := l.section.Now()
		more, err = useEach(ctx, results, use)
		l.section.Own(timeline.Body, 0, 0, began, l.section.Now()-began)
	}
	if left = nil; err != nil {
		left = c.fromRank(0, err)
	}
	return err
}

// useEach calls use with each result, as long as that wants more and ctx has not
// ended.
func useEach(ctx context.Context, results []loop.Item, use func(*loop.Item) (more bool)) (more bool, err error) {
	for i := range results {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if !use(&results[i]) {
			return false, nil
		}
	}
	return true, nil
}
