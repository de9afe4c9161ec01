package draw

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/progress"
	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Summary is what a loop comes to. All slots of ranks count, also those that were
// lost.
type Summary struct {
	Slots   int           `json:"slots"`
	Items   int           `json:"items"`  // that were worked on, each attempt
	Failed  int           `json:"failed"` // of those, with all that were cut off or crashed
	Lost    int           `json:"lost"`   // ranks
	Work    time.Duration `json:"work_ns"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Body    time.Duration `json:"loop_body_ns"` // of rank 0

	Busy          float64 `json:"busy_slots"`               // on average
	Balance       float64 `json:"load_balance"`             // work of the average slot / of the busiest one
	Communication float64 `json:"communication_efficiency"` // work of the busiest slot / elapsed time
	Efficiency    float64 `json:"parallel_efficiency"`      // the product

	Limit   string            `json:"limit"` // what kept slots from being busy, in one sentence
	Longest []timeline.Record `json:"-"`     // items, at most longestItems
}

const longestItems = 50

// idle is slot time without an item, by why.
type idle struct {
	start  time.Duration // before the first item of a slot
	end    time.Duration // behind the last one
	server time.Duration // between two, where the slot waited for rank 0
}

// Summarize works out what the rows of a loop show.
func Summarize(l *timeline.Loop, rows []Row) *Summary {
	s := &Summary{Lost: len(l.Losses), Elapsed: l.Elapsed}
	var idle idle
	var most time.Duration
	var last timeline.Record // the item that ended last
	var ends []time.Duration // of all slots
	for i := range rows {
		if rows[i].Body {
			for _, r := range rows[i].Records {
				s.Body += r.Took
			}
			continue
		}
		s.Slots++
		work, end := s.addRow(&rows[i], &idle, &last)
		s.Work += work
		most = max(most, work)
		ends = append(ends, end)
	}
	slices.SortFunc(s.Longest, func(a, b timeline.Record) int {
		return cmp.Or(cmp.Compare(b.Took, a.Took), cmp.Compare(a.Index, b.Index))
	})
	s.Longest = s.Longest[:min(len(s.Longest), longestItems)]
	if s.Slots == 0 || s.Work == 0 || s.Elapsed == 0 {
		s.Limit = "no item was worked on"
		return s
	}
	s.Busy = s.Work.Seconds() / s.Elapsed.Seconds()
	s.Balance = s.Work.Seconds() / float64(s.Slots) / most.Seconds()
	s.Communication = min(1, most.Seconds()/s.Elapsed.Seconds())
	s.Efficiency = s.Balance * s.Communication
	s.Limit = s.limit(&idle, &last, ends)
	return s
}

// addRow adds what a slot has done. It returns for how long it has worked on
// items, and when that ended.
func (s *Summary) addRow(row *Row, idle *idle, last *timeline.Record) (work, end time.Duration) {
	for _, r := range row.Records {
		switch {
		case r.State == timeline.Waiting && work > 0:
			idle.server += r.Took
		case r.State.IsItem():
			if work == 0 {
				idle.start += r.Start
			}
			work += r.Took
			end = max(end, r.End())
			s.addItem(r, last)
		}
	}
	idle.end += s.Elapsed - min(end, s.Elapsed)
	return work, end
}

func (s *Summary) addItem(r timeline.Record, last *timeline.Record) {
	s.Items++
	if r.State != timeline.Done {
		s.Failed++
	}
	if r.End() >= last.End() {
		*last = r
	}
	s.Longest = append(s.Longest, r)
	if len(s.Longest) >= 1<<16 { // keeps the long ones in little memory
		slices.SortFunc(s.Longest, func(a, b timeline.Record) int { return cmp.Compare(b.Took, a.Took) })
		s.Longest = s.Longest[:longestItems]
	}
}

// Numbers is a line of them.
func (s *Summary) Numbers() string {
	return fmt.Sprintf("%v, %d items, parallel efficiency %.0f %% = load balance %.0f %% x communication %.0f %%",
		progress.Round(s.Elapsed), s.Items, 100*s.Efficiency, 100*s.Balance, 100*s.Communication)
}

// Above goodEfficiency there is nothing to say.
const goodEfficiency = 0.9

// limit is the sentence.
func (s *Summary) limit(idle *idle, last *timeline.Record, ends []time.Duration) string {
	said := fmt.Sprintf("%.1f of %d slots were busy on average", s.Busy, s.Slots)
	if s.Slots == 1 {
		said = fmt.Sprintf("the slot was busy %.0f %% of the time", 100*s.Efficiency)
	}
	total := time.Duration(s.Slots)*s.Elapsed - s.Work
	switch {
	case s.Efficiency >= goodEfficiency:
		return said
	case s.Items < s.Slots:
		return said + ": there were fewer items than slots"
	case s.Lost > 0 && s.Slots > 1 && idle.end > total/2:
		return said + fmt.Sprintf(": %d ranks were lost", s.Lost)
	case s.Body > s.Elapsed/2:
		return said + fmt.Sprintf(": rank 0's loop body ran for %.0f %% of the time, and the others waited for it", 100*s.Body.Seconds()/s.Elapsed.Seconds())
	case idle.end >= idle.start && idle.end >= idle.server && idle.end > total/3:
		return said + ": " + s.tail(last, ends)
	case idle.start >= idle.server && idle.start > total/3:
		return said + fmt.Sprintf(": slots waited %s for their first item, on average", progress.Round(idle.start/time.Duration(s.Slots)))
	}
	return said + fmt.Sprintf(": items took %s on average, which is little beside the message that each costs", progress.Round(s.Work/time.Duration(s.Items)))
}

// tail says what slots waited for at the end.
func (s *Summary) tail(last *timeline.Record, ends []time.Duration) string {
	slices.Sort(ends)
	alone := last.End() - ends[(len(ends)-1)/2] // when half of them had nothing left
	if s.Items < 4*s.Slots {
		return fmt.Sprintf("%d items are too few to share evenly; half of the slots had nothing left in the last %s", s.Items, progress.Round(alone))
	}
	return fmt.Sprintf("half of the slots had nothing left in the last %s, which item %d (%s long) ended", progress.Round(alone), last.Index, progress.Round(last.Took))
}
