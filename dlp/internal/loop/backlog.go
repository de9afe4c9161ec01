package loop

// maxBacklog bounds, in bytes, the results that wait on rank 0 for its loop
// body. Above it no more items are handed out until the body has caught up.
const maxBacklog = 64 << 20

// backlog holds the results that wait on rank 0 for its loop body. The
// server's mutex guards it, but for ready.
type backlog struct {
	items  []Item
	bytes  int
	closed bool          // nobody will take any more
	ready  chan struct{} // has a value if there is something new to see
}

func newBacklog() backlog { return backlog{ready: make(chan struct{}, 1)} }

func (b *backlog) add(item Item) {
	if b.closed {
		return
	}
	b.items = append(b.items, item)
	b.bytes += item.bytes()
	b.wake()
}

// take empties the backlog.
func (b *backlog) take() []Item {
	items := b.items
	b.items, b.bytes = nil, 0
	return items
}

func (b *backlog) full() bool { return b.bytes > maxBacklog }

func (b *backlog) close() {
	b.closed = true
	b.take()
}

// wake lets the loop body look again.
func (b *backlog) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}
