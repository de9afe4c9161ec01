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

// logbook is the journal of one range over a loop, or of one function of an
// executor, on rank 0.
type logbook[T any] struct {
	*records
	items *identifier[T]
	kind  *resultKind
}

// records are what a journal keeps of one loop or executor. Nil ones keep nothing.
type records struct {
	file *journal.Journal

	list    []journal.ID // of the items of a list
	kind    *resultKind  // of those
	resumed []resumed    // those of them that are finished, in the order of the file

	mu       sync.Mutex
	handed   map[int]entry // other items, that are not finished
	appended error         // why record has failed
}

// entry is an item as a journal knows it.
type entry struct {
	id   journal.ID
	kind *resultKind // of what it comes to
}

// resultKind is what a journal must know of a type of results.
type resultKind struct {
	encode func(own any) (value.Payload, error) // a result of rank 0
	check  func(value.Payload) error            // whether it is such a result
	again  func(value.Payload) (bool, error)    // whether an item is to be done again; may be nil
}

// resumed is an item that is finished.
type resumed struct {
	index  int
	offset int64 // in the file
}

// openLogbook opens the journal that the options ask for, one that keeps nothing
// if they ask for none. The results are of type R.
func openLogbook[T, R any](c *Comm, o *loopOptions) (*logbook[T], error) {
	b := &logbook[T]{}
	if o.journal == nil || !c.IsRoot() {
		return b, nil
	}
	if o.sequence {
		return b, errors.New("a Journal needs a list, or items that rank 0 alone has: use MapUnordered or MapFromRoot in place of MapUnorderedSeq")
	}
	items, err := newIdentifier[T](o.key())
	if err != nil {
		return b, err
	}
	b.items, b.kind = items, newResultKind[R](c)
	for _, again := range o.journal.redo {
		if !redoes[R](c, b.kind, again) {
			return b, fmt.Errorf("the function of JournalRedo is a %T, but the loop's results are of type %v", again, reflect.TypeFor[R]())
		}
	}
	all := &records{}
	err = all.open(c, o, journal.Description{
		Item: value.Describe(reflect.TypeFor[T]()), Result: value.Describe(reflect.TypeFor[R]()), Identity: items.kind,
	})
	if err == nil {
		b.records = all
	}
	return b, err
}

func newResultKind[R any](c *Comm) *resultKind {
	return &resultKind{
		encode: func(own any) (value.Payload, error) {
			result, _ := own.(R) // not ok for a nil interface alone
			return value.Encode(c.codec, result)
		},
		check: func(p value.Payload) error {
			_, err := value.Decode[R](c.codec, p)
			return err
		},
	}
}

// redoes has results of a kind judged by a function of JournalRedo, if that is for
// their type.
func redoes[R any](c *Comm, k *resultKind, again any) bool {
	redo, ok := again.(func(R) bool)
	if ok {
		k.again = func(p value.Payload) (bool, error) {
			result, err := value.Decode[R](c.codec, p)
			return err == nil && redo(result), err
		}
	}
	return ok
}

// open opens the file. Label and version of the Description are those of the
// options.
func (b *records) open(c *Comm, o *loopOptions, d journal.Description) (err error) {
	d.Label, d.Version = o.label, o.journal.version
	start := journal.Start{Time: time.Now(), Job: c.info.Job, Hosts: make([]string, c.Size())}
	for rank := range start.Hosts {
		start.Hosts[rank] = c.host(rank)
	}
	b.handed = map[int]entry{}
	b.file, err = journal.Open(o.journal.path, d, start, o.journal.sync)
	return err
}

// find returns the result of an item that is finished.
func (b *records) find(index int, e entry) (item loop.Item, finished bool, err error) {
	r, ok, err := b.file.Lookup(e.id)
	if err != nil || !ok {
		return item, false, err
	}
	item = resumedItem(index, &r)
	if e.kind.again != nil {
		again, err := e.kind.again(item.Payload)
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
	if b.records == nil {
		return nil, nil
	}
	b.list, b.records.kind = b.items.all(items), b.kind
	if !b.file.Known() {
		return nil, nil
	}
	for index, id := range b.list {
		offset, ok := b.file.Offset(id)
		if ok && b.kind.again != nil {
			if _, ok, err = b.find(index, entry{id, b.kind}); err != nil {
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
func (b *records) replay(ctx context.Context, use func(item *loop.Item) (more bool)) (more bool, err error) {
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
