package dlp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/stretchr/testify/assert"
)

// identity is what a program can tell of an error, and whether the Comm works
// after it.
func identity(err error, usable bool) string {
	if err == nil {
		return fmt.Sprintf("none, usable %t", usable)
	}
	var is []error
	for _, kind := range kinds() {
		if errors.Is(err, kind) {
			is = append(is, kind)
		}
	}
	ours, below, item := (*Error)(nil), (*ame.Error)(nil), (*ItemError)(nil)
	text := fmt.Sprintf("is %v, usable %t", is, usable)
	if errors.As(err, &ours) {
		text += ", dlp " + ours.Op
	}
	if errors.As(err, &below) {
		text += ", ame"
	}
	if errors.As(err, &item) {
		text += ", item"
	}
	return text
}

// A program that is wrong is so on any number of ranks: the same input gives
// the same error on one rank, where nothing has to travel, as on several.
func TestWrongInputOnAnyNumberOfRanks(t *testing.T) {
	g := well(1)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	withRoot := func(root func(int) int) given[int] { w := g; w.root = root; return w }
	withPeer := func(peer func(c *Comm) int) given[int] { w := g; w.peer = peer; return w }
	tooMany, noOp, badTag := g, g, g
	tooMany.more, noOp.op, badTag.tag = 1, nil, -2
	below, above := withPeer(func(*Comm) int { return -3 }), withPeer((*Comm).Size)
	odd, pipe := well(refuses{1}), well(make(chan int))
	for name, test := range map[string]struct {
		calls map[string]callOf
		wrong func(callOf) callOf // how the call is made; nil: as it is
	}{
		"nothing": {together(collectiveCalls(g), plainCalls(g), messageCalls(g, false), loopCalls(g, 3), serviceCalls(), backgroundCalls(g)), nil},
		"no Comm": {together(everyCall(), backgroundCalls(g)), func(call callOf) callOf {
			return func(ctx context.Context, c *Comm) error { return call(ctx, nil) }
		}},
		"closed Comm": {together(everyCall(), backgroundCalls(g)), func(call callOf) callOf {
			return func(ctx context.Context, c *Comm) error {
				dup, err := c.Dup(ctx)
				if err == nil {
					dup.Close()
					err = call(ctx, dup)
				}
				return err
			}
		}},
		"inside a loop": {together(collectiveCalls(g), plainCalls(g), loopCalls(g, 3), serviceCalls(), backgroundCalls(g)), func(call callOf) callOf {
			return func(ctx context.Context, c *Comm) error {
				leave, err := c.enter("split")
				if err != nil {
					return err
				}
				defer leave()
				return call(ctx, c)
			}
		}},
		"ended ctx": {without("isend" /* which may be done before */, together(everyCall(), loopCalls(g, 0))), func(call callOf) callOf {
			return func(_ context.Context, c *Comm) error { return call(ended, c) }
		}},
		"type that cannot travel":      {together(collectiveCalls(pipe), messageCalls(pipe, true), loopCalls(pipe, 3), backgroundCalls(pipe)), nil},
		"value that cannot be encoded": {together(collectiveCalls(odd), messageCalls(odd, false), loopCalls(odd, 3), backgroundCalls(odd)), nil},
		"root -1":                      {together(collectiveCalls(withRoot(func(int) int { return -1 })), plainCalls(withRoot(func(int) int { return -1 }))), nil},
		"root of the size":             {together(collectiveCalls(withRoot(func(n int) int { return n })), plainCalls(withRoot(func(n int) int { return n }))), nil},
		"nil operation":                {together(collectiveCalls(noOp), plainCalls(noOp), backgroundCalls(noOp)), nil},
		"too many values":              {together(collectiveCalls(tooMany), plainCalls(tooMany)), nil},
		"negative tag":                 {together(messageCalls(badTag, true), probeCall(badTag)), nil},
		"negative rank":                {together(messageCalls(below, true), probeCall(below)), nil},
		"rank of the size":             {together(messageCalls(above, true), probeCall(above)), nil},
	} {
		wrong := 0
		for called, call := range test.calls {
			if test.wrong != nil {
				call = test.wrong(call)
			}
			var alone []string
			for size := 1; size <= 3; size++ {
				got := identities(t, size, call)
				if size == 1 {
					alone = got
				}
				assert.Equal(t, slices.Repeat(alone, size), got, "%s: %s on %d ranks", name, called, size)
			}
			if alone[0] != identity(nil, true) {
				wrong++
			}
		}
		assert.Equal(t, name == "nothing", wrong == 0, "%s: %d calls", name, wrong)
	}
}

// identities are those of the errors of all ranks, which make one call.
func identities(t *testing.T, size int, call callOf) []string {
	errs, usable := make([]error, size), make([]bool, size)
	var started sync.WaitGroup
	started.Add(size)
	_ = Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
		started.Done() // or the first one might end the job before the others are in it
		started.Wait()
		errs[c.Rank()] = call(ctx, c)
		usable[c.Rank()] = c.Barrier(ctx) == nil
		return nil
	})
	var all []string
	for rank, err := range errs {
		all = append(all, identity(err, usable[rank]))
	}
	return all
}
