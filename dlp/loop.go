package dlp

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/ame"
)

// SplitOption changes what SplitManaged does.
type SplitOption interface{ applySplit(*loopOptions) }

// MapOption changes what MapUnordered does.
type MapOption interface{ applyMap(*loopOptions) }

// LoopOption is an option of both.
type LoopOption interface {
	SplitOption
	MapOption
}

type loopOptions struct {
	dedicated bool
	rootWorks bool
	policy    ErrorPolicy
	progress  bool
	label     string
}

type splitOption func(*loopOptions)

func (o splitOption) applySplit(l *loopOptions) { o(l) }

type mapOption func(*loopOptions)

func (o mapOption) applyMap(l *loopOptions) { o(l) }

type loopOption func(*loopOptions)

func (o loopOption) applySplit(l *loopOptions) { o(l) }
func (o loopOption) applyMap(l *loopOptions)   { o(l) }

// Dedicated keeps rank 0 out of the work of SplitManaged: its loop has no
// iterations and ends with the loop. With one rank it has no effect.
func Dedicated() SplitOption { return splitOption(func(o *loopOptions) { o.dedicated = true }) }

// RootWorks lets rank 0 work on items of MapUnordered too: work then runs in
// a goroutine beside rank 0's loop body. With one rank it has no effect.
func RootWorks() MapOption { return mapOption(func(o *loopOptions) { o.rootWorks = true }) }

// ErrorPolicy says what MapUnordered does when work fails on an item.
type ErrorPolicy int

const (
	// Stop hands out no new items, yields what becomes of those that ranks
	// have already been given, and then ends the loop with the error, on all
	// ranks.
	Stop ErrorPolicy = iota

	// Continue goes on, and yields the failure as a Result with Err set.
	Continue
)

// OnError sets what MapUnordered does when work fails on an item. The default
// is Stop.
func OnError(p ErrorPolicy) MapOption { return mapOption(func(o *loopOptions) { o.policy = p }) }

// Progress shows on rank 0's stderr how far the loop is: as a bar on a
// terminal, else as a line every 30 s and at the end. SplitManaged does so
// by itself if stderr is a terminal.
func Progress(label string) LoopOption {
	return loopOption(func(o *loopOptions) { o.progress, o.label = true, label })
}

// loop is one rank's part in a managed loop.
type loop struct {
	comm   *Comm
	ame    *ame.Comm // of this loop alone
	server *server   // on rank 0
	policy ErrorPolicy
	hide   func() // ends the progress display
}

// startLoop begins a managed loop on every rank, and starts its manager on rank
// 0, which may outlive the loop there.
func (c *Comm) startLoop(ctx context.Context, op string, length int, rootWorks bool, o loopOptions) (*loop, error) {
	backend, err := c.agree(ctx, op, length)
	if err != nil {
		return nil, err
	}
	l := &loop{comm: c, ame: backend, policy: o.policy, hide: func() {}}
	if c.IsRoot() {
		m := newManager(c.Size(), length, length == unknown)
		if !rootWorks {
			m.leave(0)
		}
		l.server = newServer(c, backend, m, o.policy)
		c.loops.managers.Go(l.server.run)
		l.hide = showProgress(o, l.server.state)
	}
	return l, nil
}

func (l *loop) worker() *worker {
	w := &worker{boss: remote{l.ame}, hold: holdWindows * targetTime(l.comm.Size()), prompt: l.policy == Stop}
	if l.server != nil {
		w.boss = local{l.server}
	}
	return w
}

// finish ends the loop on this rank. On rank 0 the manager goes on until all
// others are out, and then closes the loop's communicator.
func (l *loop) finish() {
	l.hide()
	if l.server == nil {
		l.ame.Close()
	}
}

// startOf is the identity of the collectives by which a loop begins. A rank
// that is in a collective of the user's at that time gets an error.
func startOf(op string) ame.Call {
	name := "SplitManaged"
	if op == "map" {
		name = "MapUnordered"
	}
	return ame.Call{Use: 1, Name: name}
}

// agree makes sure that all ranks are in the same loop over the same number
// of items, and returns a communicator for the loop alone. If they are not,
// each rank gets an error that names the lengths, and c still works.
func (c *Comm) agree(ctx context.Context, op string, length int) (*ame.Comm, error) {
	body := binary.BigEndian.AppendUint64(nil, uint64(int64(length)))
	all, err := c.ame.Gather(ctx, startOf(op), ame.Payload{Format: formatLoop, Body: append(body, op...)})
	if err != nil {
		return nil, err
	}
	verdict := ame.Payload{Format: formatLoop}
	var mismatch error // on rank 0
	if c.IsRoot() {
		if mismatch = compare(all); mismatch != nil {
			verdict = errorPayload(mismatch)
		}
	}
	if verdict, err = c.ame.Bcast(ctx, startOf(op), verdict); err != nil {
		return nil, cmp.Or(mismatch, err)
	}
	switch verdict.Format {
	case formatLoop:
		return c.ame.Dup(ctx)
	case formatError:
		return nil, errors.New(string(verdict.Body))
	}
	return nil, fmt.Errorf("rank 0 is not in a loop, it has sent %s", formatName(verdict.Format))
}

// compare checks that the ranks have announced the same loop.
func compare(all []ame.Payload) error {
	var keys []string // in the order of their first ranks
	ranks := map[string][]int{}
	for rank, p := range all {
		key := announced(p)
		if ranks[key] == nil {
			keys = append(keys, key)
		}
		ranks[key] = append(ranks[key], rank)
	}
	if len(keys) == 1 {
		return nil
	}
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%s on %s", key, listOf("rank", spansOf(ranks[key])))
	}
	return fmt.Errorf("ranks are in different loops: %s", strings.Join(keys, "; "))
}

// announced says what loop a rank has announced.
func announced(p ame.Payload) string {
	if p.Format != formatLoop || len(p.Body) < 8 {
		return "no loop but a gather of " + formatName(p.Format)
	}
	return fmt.Sprintf("%s over %s", p.Body[8:], lengthText(int64(binary.BigEndian.Uint64(p.Body))))
}

func lengthText(n int64) string {
	switch n {
	case unknown:
		return "a sequence"
	case 1:
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}
