package dlp

import (
	"fmt"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/journal"
)

// record appends what is finished, but for what has failed. Nothing of it may be
// yielded before, or after an error, of which every call says so.
func (b *logbook[T]) record(items []loop.Item) error {
	if b == nil {
		return nil
	}
	if b.appended != nil {
		return b.appended
	}
	now := time.Now()
	for i := range items {
		item := &items[i]
		if item.HasFailed() || item.Resumed {
			b.forget(item.Index)
			continue
		}
		p := item.Payload
		if p.Format == value.FormatCodec && b.check(p) != nil {
			continue // so it will be an item that has failed
		}
		if item.Rank == 0 {
			if p, b.appended = b.encode(item.Own); b.appended != nil {
				b.appended = fmt.Errorf("the result of item %d cannot be kept: %w", item.Index, b.appended)
				return b.appended
			}
		}
		b.appended = b.file.Put(&journal.Record{
			ID: b.forget(item.Index), Index: item.Index, Rank: item.Rank, Attempt: max(1, item.Attempt),
			Ended: now, Took: item.Duration, Format: p.Format, Body: p.Body,
		})
		if b.appended != nil {
			return b.appended
		}
	}
	b.appended = b.file.Commit()
	return b.appended
}

// hand notes the ID of an item that is not in a list.
func (b *logbook[T]) hand(index int, id journal.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed[index] = id
}

// forget returns the ID of an item.
func (b *logbook[T]) forget(index int) journal.ID {
	if b.list != nil {
		return b.list[index]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.handed[index]
	delete(b.handed, index)
	return id
}

// closeInto closes the file. An error of that is one of the loop, if that has
// none.
func (b *logbook[T]) closeInto(failed *error) {
	if b == nil {
		return
	}
	if err := b.file.Close(); *failed == nil {
		*failed = err
	}
}

// alone returns the result of the next item of a rank that is alone. If it is not
// finished, work does it.
func (b *logbook[T]) alone(index int, item *T, work func() loop.Item) (loop.Item, error) {
	if b == nil {
		return work(), nil
	}
	id := b.items.next(item)
	done, finished, err := b.find(index, id)
	if finished || err != nil {
		return done, err
	}
	done = work()
	b.hand(index, id)
	return done, b.record([]loop.Item{done})
}

// offer gives a loop whose items travel the result of an item, if it is finished.
func (b *logbook[T]) offer(index int, item *T, s *loop.Server) (finished bool, err error) {
	if b == nil {
		return false, nil
	}
	id := b.items.next(item)
	done, finished, err := b.find(index, id)
	if finished {
		s.AddFinished(done)
	} else if err == nil {
		b.hand(index, id) // before anybody can finish it
	}
	return finished, err
}
