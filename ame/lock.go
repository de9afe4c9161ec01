package ame

import "context"

// lock is a mutex that is waited for with a ctx, and that may be held while
// another rank takes its time, which testing/synctest accepts of no sync.Mutex.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

// take waits until nobody has the lock. Its error is of type unsent.
func (l lock) take(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	default:
	}
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unsent{context.Cause(ctx)}
	}
}

func (l lock) release() { <-l }

// taken says whether somebody has it.
func (l lock) taken() bool { return len(l) > 0 }
