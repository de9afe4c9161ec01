package loop

// maxBacklog bounds, in bytes, the results that wait on rank 0 for its loop
// body. Above it no more items are handed out until the body has caught up.
const maxBacklog = 64 << 20

// backlog holds the results that wait on rank 0 for its loop body, in batches:
// one list of all would be copied again and again as it grows, and as a whole. The
// server's mutex guards it, but for ready.
type backlog struct {
	batches []*batch
	spare   []*batch // empty ones
	out     *batch   // that was taken last
	bytes   int
	closed  bool          // nobody will take any more
	ready   chan struct{} // has a value if there is something new to see
}

// batchSize is how many results are taken at once, at most. A Journal writes them
// at once.
const batchSize = 1024

// maxSpare bounds how many empty batches are kept.
const maxSpare = 8

type batch struct {
	items []Item
	bytes int
}

func newBacklog() backlog { return backlog{ready: make(chan struct{}, 1)} }

func (b *backlog) add(item Item) {
	if b.closed {
		return
	}
	if len(b.batches) == 0 || len(b.batches[len(b.batches)-1].items) == batchSize {
		b.begin()
	}
	last := b.batches[len(b.batches)-1]
	last.items = append(last.items, item)
	last.bytes += item.bytes()
	b.bytes += item.bytes()
	b.wake()
}

// begin begins another batch.
func (b *backlog) begin() {
	var next *batch
	if last := len(b.spare) - 1; last >= 0 {
		next = b.spare[last]
		b.spare = b.spare[:last]
	} else {
		next = &batch{}
		if len(b.batches) > 0 { // it will be full, too
			next.items = make([]Item, 0, batchSize)
		}
	}
	b.batches = append(b.batches, next)
}

// take returns the oldest batch, until it is called again; nil if there is none.
func (b *backlog) take() []Item {
	if b.out != nil {
		clear(b.out.items) // lets go of the values
		if len(b.spare) < maxSpare {
			b.out.items, b.out.bytes = b.out.items[:0], 0
			b.spare = append(b.spare, b.out)
		}
		b.out = nil
	}
	if len(b.batches) == 0 {
		return nil
	}
	b.out = b.batches[0]
	b.batches[0] = nil
	b.batches = b.batches[1:]
	b.bytes -= b.out.bytes
	return b.out.items
}

func (b *backlog) full() bool { return b.bytes > maxBacklog }

func (b *backlog) close() {
	b.closed = true
	b.batches, b.spare, b.bytes = nil, nil, 0
}

// wake lets the loop body look again.
func (b *backlog) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}
