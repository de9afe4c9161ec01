package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// workers are the processes of --worker on one rank, one for each slot.
type workers struct {
	site   *site
	stderr *launch.Merger
	slots  []*resident // nil: not started, or of no use any more
	pumps  sync.WaitGroup
}

func newWorkers(s *site) *workers {
	return &workers{site: s, stderr: launch.NewMerger(func(error) {}), slots: make([]*resident, len(s.slots))}
}

// close ends all of them.
func (w *workers) close() {
	var ends sync.WaitGroup
	for _, r := range w.slots {
		if r != nil {
			ends.Go(func() { r.end(false) })
		}
	}
	ends.Wait()
	w.pumps.Wait()
	w.stderr.Wait()
}

// of returns the process of a slot, which is started if there is none.
func (w *workers) of(slot int) (*resident, error) {
	if w.slots[slot] != nil {
		return w.slots[slot], nil
	}
	s := w.site
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	label := fmt.Sprintf("worker %d.%d: ", s.world.Rank(), slot)
	w.pumps.Go(func() {
		stream := w.stderr.Stream(os.Stderr, label)
		launch.Pump(stream, read)
		stream.Close()
		read.Close()
	})
	spec := run.Spec{
		Args: []string{"/bin/sh", "-c", "exec " + s.worker}, Environ: s.slotEnviron(slot),
		Slot: slot, CPUs: s.slots[slot].cpus, Grace: itemGrace,
	}
	w.slots[slot], err = startResident(s.runner, spec, write)
	return w.slots[slot], err
}

// once has the worker of a slot do an item.
func (w *workers) once(ctx context.Context, t task, slot, attempt int) (report, error) {
	r := report{Index: t.Index, Attempt: attempt, Slot: slot, Started: time.Now().UnixNano()}
	lines, err := w.site.questions(t)
	if err != nil {
		r.Note, r.Status = err.Error(), statusFailed
		return r, nil
	}
	begin := time.Now()
	process, err := w.of(slot)
	var answers []string
	if err == nil {
		answers, err = process.ask(ctx, lines, w.site.timeout)
	}
	if err == nil {
		r.Took = time.Since(begin)
		w.site.answer(&r, answers)
		return r, w.site.courier.text(&r)
	}
	if process != nil {
		w.slots[slot] = nil
		// A second answer is a fault of the program, and all else has a cause
		// that its end tells.
		err = w.explain(ctx, err, process.end(!errors.Is(err, io.EOF)))
	}
	if ctx.Err() != nil {
		return r, errInterrupted
	}
	r.Took = time.Since(begin)
	r.TimedOut = errors.Is(err, os.ErrDeadlineExceeded)
	r.Note, r.Status = err.Error(), statusFailed
	return r, nil
}

// explain says why a worker has not answered, in words for the user.
func (w *workers) explain(ctx context.Context, err error, end *run.Result) error {
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("timeout: the worker has not answered for %v: %w", w.site.timeout, err)
	case errors.Is(err, errAnswersTwice), errors.Is(err, errLongAnswer):
		return err
	case end.Err != nil:
		return end.Err
	case end.Signal != 0 && !end.Stopped:
		return fmt.Errorf("the worker was killed by signal %d", end.Signal)
	}
	return fmt.Errorf("the worker has ended without an answer, exit status %d", end.Status)
}

// questions are the lines for an item: one, or with -n one for each.
func (s *site) questions(t task) ([]string, error) {
	items := []string{strings.Join(t.Columns, "\t")}
	if s.source.Pack > 1 {
		items = t.Columns
	}
	for i, item := range items {
		switch {
		case s.json:
			if !utf8.ValidString(item) {
				return nil, errors.New("the item is not UTF-8, which JSON needs")
			}
			line, err := json.Marshal(struct {
				Index int    `json:"index"`
				Item  string `json:"item"`
			}{t.Index*s.source.Pack + i, item})
			if err != nil {
				return nil, err
			}
			items[i] = string(line)
		case strings.Contains(item, "\n"):
			return nil, errors.New("the item has a newline; --json takes such items")
		}
	}
	return items, nil
}

// answer makes the output of an item of the answers.
func (s *site) answer(r *report, answers []string) {
	var out strings.Builder
	for _, answer := range answers {
		if s.json {
			var a struct {
				Value json.RawMessage `json:"value"`
				Error *string         `json:"error"`
			}
			switch err := json.Unmarshal([]byte(answer), &a); {
			case err != nil:
				r.Note = fmt.Sprintf("the worker's answer is no JSON object: %s", short(answer))
			case a.Error != nil:
				r.Note = *a.Error
			case a.Value == nil:
				r.Note = fmt.Sprintf("the worker's answer has neither value nor error: %s", short(answer))
			}
			if r.Note != "" {
				r.Status = statusFailed
				continue
			}
			answer = string(a.Value)
		}
		out.WriteString(answer)
		out.WriteByte('\n')
	}
	r.Output[0] = []byte(out.String())
	r.Sizes[0] = int64(len(r.Output[0]))
}
