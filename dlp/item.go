package dlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// callWork runs work on one item and keeps what becomes of it: on rank 0 as
// it is, elsewhere encoded for the way to rank 0.
func callWork[T, R any](ctx context.Context, c *Comm, index int, item T, work func(context.Context, T) (R, error)) (done loop.Item) {
	done = loop.Item{Index: index, Rank: c.Rank(), Status: loop.Value}
	done.Began = c.clock()
	defer func() {
		if v := recover(); v != nil {
			done.Duration = c.clock() - done.Began
			setError(&done, loop.Crashed, fmt.Errorf("panic: %v", v))
			done.Stack = debug.Stack()
		}
	}()
	result, err := work(ctx, item)
	done.Duration = c.clock() - done.Began
	switch {
	case err != nil:
	case c.IsRoot():
		if result, err = value.Own(c.codec, result); err == nil {
			done.Own, done.Size = result, value.Size(result)
			return done
		}
	default:
		done.Payload, err = value.Encode(c.codec, result)
	}
	if err != nil {
		failItem(&done, err)
	}
	return done
}

// failItem makes err what has become of an item, a panic of a codec too.
func failItem(item *loop.Item, err error) {
	if p := (*value.Panic)(nil); errors.As(err, &p) {
		setError(item, loop.Crashed, errors.New(oneLine(err)))
		item.Stack = p.Stack
		return
	}
	setError(item, loop.Failed, err)
}

// failedItem is an item on which no work was done.
func failedItem(c *Comm, index int, err error) loop.Item {
	item := loop.Item{Index: index, Rank: c.Rank()}
	failItem(&item, err)
	return item
}

// setError makes err what has become of the item.
func setError(item *loop.Item, s loop.Status, err error) {
	item.Status, item.Err = s, err
	item.Payload = value.Payload{Body: appendError(nil, err, 0)}
}

// resultOf makes a finished item the Result that rank 0's loop yields.
func resultOf[R any](c *Comm, item *loop.Item) Result[R] {
	r := Result[R]{Index: item.Index, Rank: item.Rank, Duration: item.Duration, Resumed: item.Resumed}
	switch {
	case item.Status != loop.Value:
		r.Err = c.itemError(item)
	case item.Rank == 0 && !item.Resumed:
		r.Value, _ = item.Own.(R) // not ok for a nil interface alone
	default:
		var err error
		if r.Value, err = decode[R](c, unshared(item.Payload, item.Large())); err != nil {
			item.Status, item.Err = loop.Failed, err
			r.Err = c.itemError(item)
		}
	}
	return r
}

// unshared is a payload whose value does not keep the message in memory in which
// it has come, unless it came alone.
func unshared(p value.Payload, alone bool) ame.Payload {
	if value.Shares(p.Format) && !alone {
		p.Body = bytes.Clone(p.Body)
	}
	return ame.Payload(p)
}

// itemError is the error of an item that has failed.
func (c *Comm) itemError(item *loop.Item) *ItemError {
	err := item.Err
	if err == nil {
		err = parseError(item.Payload.Body)
	}
	if item.Attempt > 1 && item.Status == loop.Failed {
		err = lastAttempt(item.Attempt, err)
	}
	stack := item.Stack
	if stack != nil && item.Rank != 0 {
		stack = []byte(printable.Text(string(stack)))
	}
	return &ItemError{Index: item.Index, Rank: item.Rank, Host: c.host(item.Rank), Err: err, Stack: stack}
}
