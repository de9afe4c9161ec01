package loop

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// simulation runs a manager and workers on a clock of its own: a window costs
// a round trip, items take what the test says, and what a rank has not
// started after the hold time goes back.
type simulation struct {
	t       *testing.T
	m       *manager
	trip    time.Duration
	took    func(rank, index int) time.Duration
	comes   func(index int) time.Duration // when an item that travels is there; nil: they do not travel
	total   int
	now     time.Duration
	ranks   []simRank
	waiting []int
	done    map[int]int // how often, by index
	asked   int         // windows handed out
}

// simRank is a Worker and its slots.
type simRank struct {
	slots   []simSlot
	todo    []span
	coming  []simWindow
	began   time.Duration // of the last window
	pending []Item        // items to report with the next report
	asked   int           // slots that have asked and got nothing
	asks    int           // those of them that the manager knows of
}

type simSlot struct {
	current int // index being worked on, none if it waits
	until   time.Duration
}

type simWindow struct {
	span
	slots int
	at    time.Duration
}

// simulate works on a list with ranks of one slot each.
func simulate(t *testing.T, size, total int, trip time.Duration, took func(rank, index int) time.Duration) *simulation {
	s := &simulation{t: t, m: newManager(size, total, false), trip: trip, took: took, total: total}
	return s.run(slices.Repeat([]int{1}, size))
}

// travel makes the items come to the manager at times of their own.
func (s *simulation) travel(comes func(index int) time.Duration) {
	s.comes = comes
	s.m.total, s.m.ready = Unknown, 0
}

func (s *simulation) run(slots []int) *simulation {
	s.m.setSlots(slots)
	s.done, s.ranks = map[int]int{}, make([]simRank, len(slots))
	for rank, n := range slots {
		s.ranks[rank].slots = slices.Repeat([]simSlot{{current: none}}, n)
		s.ask(rank)
	}
	for !s.m.over() {
		s.step()
	}
	require.Len(s.t, s.done, s.total)
	for index, times := range s.done {
		require.Equal(s.t, 1, times, "item %d", index)
	}
	return s
}

// step goes on to the next thing that happens.
func (s *simulation) step() {
	at, what := time.Duration(math.MaxInt64), func() { s.t.Fatalf("all ranks idle and items left: %+v", s.m) }
	on := func(when time.Duration, f func()) {
		if when < at {
			at, what = when, f
		}
	}
	if s.comes != nil && s.m.total == Unknown {
		on(s.comes(s.m.ready), s.add)
	}
	for rank := range s.ranks {
		r := &s.ranks[rank]
		if len(r.coming) > 0 {
			on(r.coming[0].at, func() { s.begin(rank) })
		}
		if len(r.todo) > 0 {
			on(max(s.now, r.began+holdWindows*s.m.target), func() { s.overdue(rank) })
		}
		for i := range r.slots {
			if r.slots[i].current != none {
				on(r.slots[i].until, func() { s.finish(rank, i) })
			}
		}
	}
	s.now = max(s.now, at)
	what()
}

// add is the feeder.
func (s *simulation) add() {
	if s.m.ready++; s.m.ready == s.total {
		s.m.total = s.total
	}
	s.serve()
}

// begin takes a window that has come.
func (s *simulation) begin(rank int) {
	r := &s.ranks[rank]
	w := r.coming[0]
	r.coming = r.coming[1:]
	r.asked -= w.slots
	r.todo, r.began = append(r.todo, w.span), s.now
	s.start(rank)
}

// start lets slots that wait go on.
func (s *simulation) start(rank int) {
	r := &s.ranks[rank]
	for i := range r.slots {
		if len(r.todo) == 0 {
			s.ask(rank)
			return
		}
		if r.slots[i].current != none {
			continue
		}
		first := &r.todo[0]
		r.slots[i] = simSlot{first.first, s.now + s.took(rank, first.first)}
		first.first++
		if first.n--; first.n == 0 {
			r.todo = r.todo[1:]
		}
	}
	if len(r.todo) == 0 {
		s.ask(rank)
	}
}

func (s *simulation) finish(rank, slot int) {
	r := &s.ranks[rank]
	index := r.slots[slot].current
	r.pending = append(r.pending, Item{Index: index, Duration: s.took(rank, index)})
	s.done[index]++
	r.slots[slot].current = none
	s.start(rank)
}

func (s *simulation) overdue(rank int) {
	r := &s.ranks[rank]
	s.report(rank)
	for _, b := range slices.Backward(r.todo) {
		require.NoError(s.t, s.m.giveBack(rank, b))
	}
	r.todo = nil
	s.serve()
}

func (s *simulation) report(rank int) {
	for _, item := range s.ranks[rank].pending {
		require.NoError(s.t, s.m.finish(rank, item.Index, item.Duration))
	}
	s.ranks[rank].pending = nil
}

// ask is Worker.ask.
func (s *simulation) ask(rank int) {
	r := &s.ranks[rank]
	waiting := -r.asked
	for _, slot := range r.slots {
		if slot.current == none {
			waiting++
		}
	}
	s.report(rank)
	if waiting > 0 {
		if r.asks == 0 {
			s.waiting = append(s.waiting, rank)
		}
		r.asked += waiting
		r.asks += waiting
	}
	s.serve()
}

// serve gives windows to those who wait.
func (s *simulation) serve() {
	s.waiting = slices.DeleteFunc(s.waiting, func(rank int) bool {
		r := &s.ranks[rank]
		for r.asks > 0 {
			w, ok := s.m.assign(rank, r.asks)
			if !ok {
				return false
			}
			slots := min(r.asks, w.n)
			r.asks -= slots
			s.asked++
			r.coming = append(r.coming, simWindow{w, slots, s.now + s.trip})
		}
		return true
	})
}
