package dlp

import (
	"context"
	"fmt"
	"reflect"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// Func is a function that an Executor runs on other ranks. Functions do not
// travel: each rank makes it, by NewFunc, and gives it to Execute.
type Func[A, R any] struct {
	name string
	f    func(context.Context, A) (R, error)
}

// NewFunc makes f a function for Execute, under a name by which the ranks find it.
// It sends nothing. f may be called from several goroutines, if Slots are more
// than one. ctx is that of Execute on the rank that runs it.
func NewFunc[A, R any](name string, f func(context.Context, A) (R, error)) *Func[A, R] {
	return &Func[A, R]{name, f}
}

// callable is a Func of any type.
type callable interface {
	label() string     // its name
	signature() string // name and types: the same on all ranks
	check(c *Comm) error
	fits(option any) bool
	keep(c *Comm, o *loopOptions, all *records) (shelf, error)
	call(ctx context.Context, c *Comm, t loop.Task, in *loop.Input, o *loopOptions) loop.Item
}

func (f *Func[A, R]) applyExecute(o *executeOptions) { o.funcs = append(o.funcs, f) }

func (f *Func[A, R]) label() string { return f.name }

func (f *Func[A, R]) signature() string {
	return fmt.Sprintf("%s(%v) %v", f.name, reflect.TypeFor[A](), reflect.TypeFor[R]())
}

func (f *Func[A, R]) check(c *Comm) error {
	if f.f == nil {
		return c.errorf(opExecute, fmt.Errorf("%s has no function", f.name))
	}
	if err := check[A](c, opExecute); err != nil {
		return err
	}
	return check[R](c, opExecute)
}

// call runs the function on an argument that has travelled here.
func (f *Func[A, R]) call(ctx context.Context, c *Comm, t loop.Task, in *loop.Input, o *loopOptions) loop.Item {
	a, err := itemOf[A](c, in)
	if err != nil {
		return failedItem(c, t.Index, err)
	}
	if in.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, in.Timeout)
		defer cancel()
	}
	return tryItem(ctx, c, t, a, f.f, o)
}
