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
func (b *records) record(items []loop.Item) error {
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
		e := b.forget(item.Index)
		p := item.Payload
		if p.Format == value.FormatCodec && e.kind.check(p) != nil {
			continue // so it will be an item that has failed
		}
		if item.Rank == 0 {
			if p, b.appended = e.kind.encode(item.Own); b.appended != nil {
				b.appended = fmt.Errorf("the result of item %d cannot be kept: %w", item.Index, b.appended)
				return b.appended
			}
		}
		b.appended = b.file.Put(&journal.Record{
			ID: e.id, Index: item.Index, Rank: item.Rank, Attempt: max(1, item.Attempt),
			Ended: now, Took: item.Duration, Format: p.Format, Body: p.Body,
		})
		if b.appended != nil {
			return b.appended
		}
	}
	b.appended = b.file.Commit()
	return b.appended
}

// hand notes an item that is not in a list.
func (b *records) hand(index int, e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed[index] = e
}

// forget returns an item, and forgets it if it is not in a list.
func (b *records) forget(index int) entry {
	if b.list != nil {
		return entry{b.list[index], b.kind}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.handed[index]
	delete(b.handed, index)
	return e
}

// closeInto closes the file. An error of that is one of the loop, if that has
// none.
func (b *records) closeInto(failed *error) {
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
	if b.records == nil {
		return work(), nil
	}
	e := entry{b.items.next(item), b.kind}
	done, finished, err := b.find(index, e)
	if finished || err != nil {
		return done, err
	}
	done = work()
	b.hand(index, e)
	return done, b.record([]loop.Item{done})
}

// offer gives a loop whose items travel the result of an item, if it is finished.
func (b *logbook[T]) offer(index int, item *T, s *loop.Server) (finished bool, err error) {
	if b.records == nil {
		return false, nil
	}
	done, finished, err := b.look(index, item)
	if finished {
		s.AddFinished(done)
	}
	return finished, err
}

// look returns the result of an item that is in no list, if it is finished. Else
// the item may be handed out now.
func (b *logbook[T]) look(index int, item *T) (done loop.Item, finished bool, err error) {
	e := entry{b.items.next(item), b.kind}
	done, finished, err = b.find(index, e)
	if !finished && err == nil {
		b.hand(index, e) // before anybody can finish it
	}
	return done, finished, err
}
