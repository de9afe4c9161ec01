package dlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/journal"
)

// logbook is the journal of one range over a loop, on rank 0. A nil one keeps
// nothing.
type logbook[T any] struct {
	file   *journal.Journal
	items  *identifier[T]
	encode func(own any) (value.Payload, error) // a result of rank 0
	check  func(value.Payload) error            // whether it is such a result
	again  func(value.Payload) (bool, error)    // whether an item is to be done again; may be nil

	list    []journal.ID // of the items of a list
	resumed []resumed    // those of a list that are finished, in the order of the file

	mu       sync.Mutex
	handed   map[int]journal.ID // of other items, that are not finished
	appended error              // why record has failed
}

// resumed is an item that is finished.
type resumed struct {
	index  int
	offset int64 // in the file
}

// openLogbook opens the journal that the options ask for, nil if they ask for
// none. The results are of type R.
func openLogbook[T, R any](c *Comm, o *loopOptions) (*logbook[T], error) {
	if o.journal == nil || !c.IsRoot() {
		return nil, nil
	}
	if o.sequence {
		return nil, errors.New("a Journal needs a list, or items that rank 0 alone has: use MapUnordered or MapFromRoot in place of MapUnorderedSeq")
	}
	items, err := newIdentifier[T](o.key)
	if err != nil {
		return nil, err
	}
	b := &logbook[T]{items: items, handed: map[int]journal.ID{}}
	b.encode = func(own any) (value.Payload, error) {
		result, _ := own.(R) // not ok for a nil interface alone
		return value.Encode(c.codec, result)
	}
	b.check = func(p value.Payload) error {
		_, err := value.Decode[R](c.codec, p)
		return err
	}
	if o.journal.redo != nil {
		redo, ok := o.journal.redo.(func(R) bool)
		if !ok {
			return nil, fmt.Errorf("the function of JournalRedo is a %T, but the loop's results are of type %v", o.journal.redo, reflect.TypeFor[R]())
		}
		b.again = func(p value.Payload) (bool, error) {
			result, err := value.Decode[R](c.codec, p)
			return err == nil && redo(result), err
		}
	}
	start := journal.Start{Time: time.Now(), Job: c.info.Job, Hosts: make([]string, c.Size())}
	for rank := range start.Hosts {
		start.Hosts[rank] = c.host(rank)
	}
	b.file, err = journal.Open(o.journal.path, journal.Description{
		Label: o.label, Item: value.Describe(reflect.TypeFor[T]()), Result: value.Describe(reflect.TypeFor[R]()),
		Version: o.journal.version, Identity: items.kind,
	}, start, o.journal.sync)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// find returns the result of an item that is finished.
func (b *logbook[T]) find(index int, id journal.ID) (item loop.Item, finished bool, err error) {
	r, ok, err := b.file.Lookup(id)
	if err != nil || !ok {
		return item, false, err
	}
	item = resumedItem(index, &r)
	if b.again != nil {
		again, err := b.again(item.Payload)
		return item, !again && err == nil, err
	}
	return item, true, nil
}

// resumedItem is a finished item as the loop has them.
func resumedItem(index int, r *journal.Record) loop.Item {
	return loop.Item{
		Index: index, Rank: r.Rank, Attempt: r.Attempt, Duration: r.Took, Status: loop.Value,
		Payload: value.Payload{Format: r.Format, Body: r.Body}, Resumed: true,
	}
}

// plan finds out which items of a list are finished, and returns their indices.
func (b *logbook[T]) plan(items []T) (finished []int, err error) {
	if b == nil {
		return nil, nil
	}
	b.list = b.items.all(items)
	for index, id := range b.list {
		offset, ok := b.file.Offset(id)
		if ok && b.again != nil {
			if _, ok, err = b.find(index, id); err != nil {
				return nil, err
			}
		}
		if ok {
			finished = append(finished, index)
			b.resumed = append(b.resumed, resumed{index, offset})
		}
	}
	slices.SortFunc(b.resumed, func(x, y resumed) int { return cmp.Compare(x.offset, y.offset) })
	return finished, nil
}

// replay calls use with each finished item of the list, as long as that wants
// more.
func (b *logbook[T]) replay(ctx context.Context, use func(item *loop.Item) (more bool)) (more bool, err error) {
	if b == nil {
		return true, nil
	}
	for _, item := range b.resumed {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		r, _, err := b.file.Lookup(b.list[item.index])
		if err != nil {
			return false, err
		}
		done := resumedItem(item.index, &r)
		if !use(&done) {
			return false, nil
		}
	}
	return true, nil
}
