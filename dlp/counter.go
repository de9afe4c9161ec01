package dlp

import "context"

// Counter counts for all ranks of a Comm together. It may be used inside loops and
// from several goroutines. A call takes the time of a message to rank 0 and back;
// rank 0 answers whatever it does.
type Counter struct{ service *service }

// NewCounter makes a Counter that begins at 0. All ranks must call it, in the same
// order as their other collectives on c, which serves as of Barrier. Close it. Rank 0
// answers the others until it closes c, so it does that behind a Barrier.
func NewCounter(ctx context.Context, c *Comm) (*Counter, error) {
	s, err := newService(ctx, c, "counter")
	if err != nil {
		return nil, err
	}
	return &Counter{s}, nil
}

// NextIndex returns 0, 1, 2 and so on: each number to one call on one rank. When
// ctx ends, the number that the call would have got may be left out.
func (k *Counter) NextIndex(ctx context.Context) (int, error) { return k.Add(ctx, 1) }

// Add adds n and returns what the count was before. When ctx ends, n may have been
// added or not.
//
// A rank that is lost does not disturb the others, unless it is rank 0 of the
// Comm, without which every call is ErrLost.
func (k *Counter) Add(ctx context.Context, n int) (before int, err error) {
	c, err := k.service.begin(ctx, askAdd, n)
	if err != nil {
		return 0, err
	}
	count, err := k.service.await(ctx, c)
	return int(count), err
}

// Close ends this rank's use of the Counter; that of the others goes on. To close
// the Comm of Init does so as well. A second Close does nothing.
func (k *Counter) Close() error { return k.service.close() }
