package dlp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// messageChecks are what programs rely on, with the section of the MPI
// standard (version 4.0) that fixes it. All ranks run each of them; they work
// with any number of ranks, and leave no message behind.
var messageChecks = []struct {
	name  string
	check func(ctx context.Context, c *Comm) error
}{
	{"3.2.2: a message may be empty", checkEmpty},
	{"3.2.4: a rank may send to itself, and receive from any", checkSelf},
	{"3.2.5: the status says source, tag and length", checkStatus},
	{"3.5: messages do not overtake each other", checkOrder},
	{"3.5: of different tags, the one that is asked for comes", checkTags},
	{"3.7.4: order holds between blocking and nonblocking calls", checkMixedOrder},
	{"3.7.4: a nonblocking send progresses while its sender computes", checkProgress},
	{"3.7.5: multiple completions", checkCompletions},
	{"3.8.2: several goroutines probe, then receive what each has found", checkProbe},
	{"3.8.4: a cancelled receive takes nothing", checkCancel},
	{"3.10: send and receive at once in a ring", checkRing},
	{"values are encoded as in collectives", checkValues},
}

func TestMessages(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		for _, m := range messageChecks {
			t.Run(fmt.Sprintf("%s/%d", m.name, size), func(t *testing.T) {
				require.NoError(t, errors.Join(eachRank(t, size, true, m.check)...))
			})
		}
	}
}

// TestMessagesOfProcesses runs the checks between processes.
func TestMessagesOfProcesses(t *testing.T) {
	ameexec := filepath.Join(mpi.Ameexec(t), "ameexec")
	for _, size := range []int{1, 2, 3, 5} {
		cmd := exec.CommandContext(t.Context(), ameexec, "-n", fmt.Sprint(size), os.Args[0])
		cmd.Env = append(mpi.Environ(), mainVariable+"=messages")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%d ranks: %s", size, out)
		assert.Equal(t, fmt.Sprintf("%d checks\n", len(messageChecks)), string(out))
	}
}

// checkMessages is the program of TestMessagesOfProcesses.
func checkMessages(ctx context.Context, world *Comm) error {
	for _, m := range messageChecks {
		if err := m.check(ctx, world); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := world.Barrier(ctx); err != nil {
			return err
		}
	}
	if world.IsRoot() {
		fmt.Println(len(messageChecks), "checks")
	}
	return nil
}

// want returns an error if got is not what is wanted.
func want[T any](what string, wanted, got T) error {
	if !reflect.DeepEqual(wanted, got) {
		return fmt.Errorf("%s: want %v, got %v", what, wanted, got)
	}
	return nil
}

func checkEmpty(ctx context.Context, c *Comm) error {
	next, last := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	err := errors.Join(Send(ctx, c, []float64{}, next, 0), Send(ctx, c, "", next, 0), Send(ctx, c, struct{}{}, next, 0))
	numbers, s1, err1 := Recv[[]float64](ctx, c, last, 0)
	text, s2, err2 := Recv[string](ctx, c, last, 0)
	_, _, err3 := Recv[struct{}](ctx, c, last, 0)
	return errors.Join(err, err1, err2, err3, want("numbers", []float64{}, numbers), want("text", "", text),
		want("lengths", []int{0, 0}, []int{s1.Bytes, s2.Bytes}))
}

func checkSelf(ctx context.Context, c *Comm) error {
	var got int
	r := Irecv(c, &got, AnySource, 3)
	body := []int{1, 2}
	err := errors.Join(Send(ctx, c, 7, c.Rank(), 3), Send(ctx, c, body, c.Rank(), 4))
	body[0] = 9 // which is this rank's again
	s, err1 := r.Wait(ctx)
	again, _, err2 := Recv[[]int](ctx, c, c.Rank(), 4)
	return errors.Join(err, err1, err2, want("number", 7, got), want("source", c.Rank(), s.Source), want("slice", []int{1, 2}, again))
}

func checkStatus(ctx context.Context, c *Comm) error {
	if c.Rank() > 0 {
		return Send(ctx, c, make([]float64, c.Rank()), 0, 10+c.Rank())
	}
	seen := map[int]bool{}
	for range c.Size() - 1 {
		v, s, err := Recv[[]float64](ctx, c, AnySource, AnyTag)
		if err == nil {
			err = want("status", Status{Source: len(v), Tag: 10 + len(v), Bytes: 8 * len(v)}, s)
		}
		if err != nil {
			return err
		}
		seen[s.Source] = true
	}
	return want("ranks", c.Size()-1, len(seen))
}

// checkOrder sends from all to all, bodies of all lengths.
func checkOrder(ctx context.Context, c *Comm) error {
	const n = 50
	for i := range n {
		for dest := range c.Size() {
			v := make([]int32, 1+i%5*i*100)
			v[0] = int32(i)
			if err := Send(ctx, c, v, dest, 0); err != nil {
				return err
			}
		}
	}
	next := make([]int, c.Size())
	for range n * c.Size() {
		v, s, err := Recv[[]int32](ctx, c, AnySource, 0)
		if err == nil {
			err = want(fmt.Sprint("message of rank ", s.Source), int32(next[s.Source]), v[0])
		}
		if err != nil {
			return err
		}
		next[s.Source]++
	}
	return nil
}

func checkTags(ctx context.Context, c *Comm) error {
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	for _, tag := range []int{1, 2, 1, MaxTag} {
		if err := Send(ctx, c, tag, dest, tag); err != nil {
			return err
		}
	}
	var got []int
	for _, tag := range []int{MaxTag, 2, AnyTag, 1} {
		v, _, err := Recv[int](ctx, c, source, tag)
		if err != nil {
			return err
		}
		got = append(got, v)
	}
	return want("tags", []int{MaxTag, 2, 1, 1}, got)
}

func checkMixedOrder(ctx context.Context, c *Comm) error {
	const n = 40
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	var sends []*Request
	for i := range n {
		v := make([]int, 1+i*500)
		v[0] = i
		if i%3 == 2 {
			if err := Send(ctx, c, v, dest, 0); err != nil {
				return err
			}
			continue
		}
		sends = append(sends, Isend(c, v, dest, 0))
	}
	got := make([][]int, n)
	var receives []*Request
	for i := range n {
		if i%4 != 3 {
			receives = append(receives, Irecv(c, &got[i], source, 0))
			continue
		}
		if _, err := WaitAll(ctx, receives...); err != nil { // or the Recv might be served by what came before
			return err
		}
		v, _, err := Recv[[]int](ctx, c, source, 0)
		if err != nil {
			return err
		}
		got[i] = v
	}
	if _, err := WaitAll(ctx, slices.Concat(sends, receives)...); err != nil {
		return err
	}
	for i, v := range got {
		if err := want("message", i, v[0]); err != nil {
			return err
		}
	}
	return nil
}

// checkProgress sends what no buffer of the system takes, and its sender does
// nothing before it hears that the others have got it.
func checkProgress(ctx context.Context, c *Comm) error {
	large := make([]byte, 8<<20)
	var sends []*Request
	for dest := range c.Size() {
		sends = append(sends, Isend(c, large, dest, 0))
	}
	for source := range c.Size() {
		v, _, err := Recv[[]byte](ctx, c, source, 0)
		if err == nil {
			err = want("length", len(large), len(v))
		}
		if err == nil {
			err = Send(ctx, c, true, source, 1)
		}
		if err != nil {
			return err
		}
	}
	for dest := range c.Size() {
		if _, _, err := Recv[bool](ctx, c, dest, 1); err != nil {
			return err
		}
	}
	_, err := WaitAll(ctx, sends...)
	return err
}

func checkCompletions(ctx context.Context, c *Comm) error {
	var number int
	var text string
	receives := []*Request{Irecv(c, &number, c.Rank(), 1), nil, Irecv(c, &text, c.Rank(), 2)}
	if err := Send(ctx, c, "two", c.Rank(), 2); err != nil {
		return err
	}
	i, s, err := WaitAny(ctx, receives...)
	err = errors.Join(err, want("first", 2, i), want("tag", 2, s.Tag), want("text", "two", text), Send(ctx, c, 1, c.Rank(), 1))
	i, _, err1 := WaitAny(ctx, receives...)
	_, _, none := WaitAny(ctx, receives...)
	all, err2 := WaitAll(ctx, receives...)
	return errors.Join(err, err1, err2, want("second", 0, i), want("number", 1, number), want("left", errNoneLeft, none),
		want("tags", []int{1, 0, 2}, []int{all[0].Tag, all[1].Tag, all[2].Tag}))
}

func checkProbe(ctx context.Context, c *Comm) error {
	const callers, each = 4, 25
	for i := range callers * each {
		if err := Send(ctx, c, make([]int, i), (c.Rank()+1)%c.Size(), i); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	var found []int
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for caller := range callers {
		wg.Go(func() {
			for range each {
				m, err := Probe(ctx, c, AnySource, AnyTag)
				if err != nil {
					errs[caller] = err
					return
				}
				v, err := Take[[]int](m)
				_, again := Take[[]int](m)
				errs[caller] = errors.Join(errs[caller], err, want("length", m.Status().Tag, len(v)),
					want("bytes", 8*len(v), m.Status().Bytes), want("again", true, errors.Is(again, errTaken)))
				mu.Lock()
				found = append(found, len(v))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(found)
	return errors.Join(append(errs, want("found", numbers(callers*each), found))...)
}

func checkCancel(ctx context.Context, c *Comm) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err1 := Recv[int](over, c, AnySource, 5)
	_, err2 := Probe(over, c, c.Rank(), 5)
	v := -1
	r := Irecv(c, &v, AnySource, 5)
	_, err3 := r.Wait(over)
	ended := []bool{errors.Is(err1, context.Canceled), errors.Is(err2, context.Canceled), errors.Is(err3, context.Canceled)}
	err := errors.Join(want("ended", []bool{true, true, true}, ended), want("cancelled", true, r.Cancel()), want("again", true, r.Cancel()))
	_, err4 := r.Wait(ctx)
	err = errors.Join(err, want("its error", true, errors.Is(err4, context.Canceled)), c.Barrier(ctx))
	err = errors.Join(err, Send(ctx, c, 8, (c.Rank()+1)%c.Size(), 5))
	got, _, err5 := Recv[int](ctx, c, AnySource, 5)
	return errors.Join(err, err5, want("value", 8, got), want("place of the cancelled one", -1, v))
}

// checkRing exchanges more than any buffer takes.
func checkRing(ctx context.Context, c *Comm) error {
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	v := slices.Repeat([]int64{int64(c.Rank())}, 2<<20)
	got, s, err := SendRecv(ctx, c, v, dest, 1, source, 1)
	if err != nil {
		return err
	}
	return errors.Join(want("status", Status{source, 1, 16 << 20}, s), want("first", int64(source), got[0]), want("length", len(v), len(got)))
}

func checkValues(ctx context.Context, c *Comm) error {
	v := outer{In: &inner{Name: "x"}, List: []inner{}, Any: int64(c.Rank()), Map: map[string][]float64{"a": {1}}}
	err := Send(ctx, c, v, (c.Rank()+1)%c.Size(), 0)
	got, _, err1 := Recv[outer](ctx, c, AnySource, 0)
	v.Any = int64((c.Rank() + c.Size() - 1) % c.Size())
	return errors.Join(err, err1, want("value", v, got))
}
