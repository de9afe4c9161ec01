package dlp

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// An error on its way to another rank is, in this order: which kinds it is
// (bits, as kinds has them), the number of its ItemErrors, those, and its text.
// An ItemError is index, rank, host and the error of the item in the same form.
// Numbers are unsigned varints, host and inner error have a length before them.

// kinds are what errors.Is still finds in an error on another rank. The order
// is part of the protocol.
func kinds() []error {
	return []error{
		ErrClosed, ErrLost, ErrLeft, ErrAborted, ErrMismatch, ErrTimeout,
		context.Canceled, context.DeadlineExceeded,
		fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, ErrStopped,
	}
}

// maxItemDepth bounds how deep ItemErrors lie in one another on the wire.
const maxItemDepth = 4

// remoteError is an error as another rank sees it.
type remoteError struct {
	text string
	is   []error // kinds and ItemErrors
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() []error { return e.is }

// appendError appends the wire form of an error. Stacks of panics stay here:
// they are printed once, not on each rank.
func appendError(b []byte, err error, depth int) []byte {
	var bits uint64
	for i, kind := range kinds() {
		if errors.Is(err, kind) {
			bits |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, bits)
	items := itemErrors(err)
	if depth == maxItemDepth {
		items = nil
	}
	b = binary.AppendUvarint(b, uint64(len(items)))
	for _, item := range items {
		b = binary.AppendUvarint(b, uint64(item.Index))
		b = binary.AppendUvarint(b, uint64(item.Rank))
		b = appendText(b, item.Host)
		b = appendText(b, string(appendError(nil, item.Err, depth+1)))
	}
	return append(b, oneLine(err)...)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// oneLine is the text of an error without the stacks of panics.
func oneLine(err error) string {
	text := err.Error()
	walk(err, func(err error) bool {
		var stack []byte
		switch e := err.(type) {
		case *ItemError:
			stack = e.Stack
		case *value.Panic:
			stack = e.Stack
		}
		if stack != nil {
			text = strings.ReplaceAll(text, "\n"+string(stack), "")
		}
		return true
	})
	return text
}

// itemErrors returns the ItemErrors in err, but for those inside another one.
func itemErrors(err error) []*ItemError {
	var items []*ItemError
	walk(err, func(err error) bool {
		item, ok := err.(*ItemError)
		if ok {
			items = append(items, item)
		}
		return !ok
	})
	return items
}

// walk visits err and what it wraps, as long as visit wants to go deeper.
func walk(err error, visit func(error) (deeper bool)) {
	if err == nil || !visit(err) {
		return
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			walk(inner, visit)
		}
	}
}

// parseError is the opposite of appendError. It also makes an error of bytes
// that are none.
func parseError(b []byte) error {
	r := errorReader{rest: b}
	err := r.error()
	if r.bad {
		return errors.New("an error that cannot be read")
	}
	return err
}

// errorReader takes an error apart. Once bad it reads zeros.
type errorReader struct {
	rest []byte
	bad  bool
}

func (r *errorReader) error() error {
	bits, items := r.number(), r.number()
	e := &remoteError{}
	for i, kind := range kinds() {
		if bits&(1<<i) != 0 {
			e.is = append(e.is, kind)
		}
	}
	for ; items > 0 && !r.bad; items-- {
		item := &ItemError{Index: int(r.number()), Rank: int(r.number()), Host: printable.Text(string(r.bytes()))}
		inner := errorReader{rest: r.bytes()}
		item.Err = inner.error()
		r.bad = r.bad || inner.bad
		e.is = append(e.is, item)
	}
	e.text = printable.Text(string(r.rest))
	return e
}

func (r *errorReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > math.MaxInt32 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *errorReader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
