package dlp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/journal"
)

// taskbook is the journal of an executor, on rank 0. All functions write to one
// file.
type taskbook struct {
	*records
	shelves map[callable]shelf
}

// shelf is what a journal keeps of one function.
type shelf struct {
	argument, result string // types
	identity         string // how arguments are known again
	book             any    // *logbook of its arguments
}

// openTaskbook opens the journal that the options ask for, one that keeps nothing
// if they ask for none.
func openTaskbook(c *Comm, o *executeOptions) (*taskbook, error) {
	b := &taskbook{}
	if o.journal == nil || !c.IsRoot() {
		return b, nil
	}
	for _, option := range slices.Concat(o.keys, o.journal.redo) {
		if !slices.ContainsFunc(o.funcs, func(f callable) bool { return f.fits(option) }) {
			return b, fmt.Errorf("a Key or a JournalRedo is a %T, which fits the arguments or results of no function", option)
		}
	}
	all := &records{}
	shelves := map[callable]shelf{}
	var arguments, results, identities []string
	for _, f := range o.funcs { // by name
		s, err := f.keep(c, &o.loopOptions, all)
		if err != nil {
			return b, fmt.Errorf("%s: %w", f.label(), err)
		}
		shelves[f] = s
		arguments = append(arguments, f.label()+"("+s.argument+")")
		results = append(results, f.label()+" "+s.result)
		identities = append(identities, f.label()+" by "+s.identity)
	}
	err := all.open(c, &o.loopOptions, journal.Description{
		Item: strings.Join(arguments, ", "), Result: strings.Join(results, ", "), Identity: strings.Join(identities, ", "),
	})
	if err == nil {
		b.records, b.shelves = all, shelves
	}
	return b, err
}

// fits says whether an option is a Key of the function's arguments, or judges its
// results.
func (f *Func[A, R]) fits(option any) bool {
	switch option.(type) {
	case func(A) string, func(R) bool:
		return true
	}
	return false
}

// keep makes a shelf for the function.
func (f *Func[A, R]) keep(c *Comm, o *loopOptions, all *records) (s shelf, err error) {
	var key any
	for _, k := range o.keys {
		if _, ok := k.(func(A) string); ok {
			key = k
		}
	}
	ids, err := newIdentifier[A](key)
	if err != nil {
		return s, err
	}
	ofArgument, ofText := ids.digest, value.Fingerprint[string]()
	ids.digest = func(a *A) [16]byte {
		sum := ofArgument(a)
		text := f.name + string(sum[:])
		return ofText(&text)
	}
	kind := newResultKind[R](c)
	for _, again := range o.journal.redo {
		redoes[R](c, kind, again)
	}
	return shelf{
		argument: value.Describe(reflect.TypeFor[A]()), result: value.Describe(reflect.TypeFor[R]()), identity: ids.kind,
		book: &logbook[A]{all, ids, kind},
	}, nil
}

// look returns the result of a task that gets this index, if it is finished. The
// caller holds the executor's mutex.
func (f *Func[A, R]) look(b *taskbook, index int, a *A) (done loop.Item, finished bool, err error) {
	book, ok := b.shelves[f].book.(*logbook[A])
	if !ok {
		return done, false, nil
	}
	return book.look(index, a)
}
