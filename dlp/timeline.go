package dlp

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Timeline records when each item was worked on, on which rank and in which slot,
// and what became of it, and appends that to a file on rank 0's node: a section for
// each loop. `dlp report FILE --html run.html` draws it. What is recorded also says
// how long ranks waited for rank 0, when rank 0's loop body ran, and which ranks
// were lost with which items.
//
// Records come to rank 0 with the results and are in the file within a second, so
// those of a rank that is lost are there up to its last report, and those of a job
// that is killed up to the last second. An item takes 4 to 12 bytes.
//
// Times are by the monotonic clock of each rank. Each message of rank 0 to a rank,
// and what that next says, bound the difference of the two clocks; `dlp report`
// takes the narrowest bounds of each ten seconds. So bars of different ranks are
// wrong against each other by half of the time of a quick message there and back
// at most, and are drawn in the right order within a rank.
//
// What rank 0 passes counts. With AME_TIMELINE=FILE in the environment of rank 0
// all loops of a program are recorded that do not name another file. A file that
// cannot be written, or is no timeline, is an error on all ranks before any work
// starts. If writing fails later, the loop goes on, and a line on rank 0's stderr
// says so.
//
// SplitRoundRobin sends nothing, so it is not recorded. Docs: docs/timeline.md.
func Timeline(path string) LoopOption {
	return loopOption(func(o *loopOptions) { o.timeline = path })
}

// timelineVariable names a file for the loops that name none.
const timelineVariable = "AME_TIMELINE"

// clock is what timelines of this rank go by.
func (c *Comm) clock() time.Duration { return time.Since(c.loops.epoch) }

// timelinePath is where rank 0 is to record a loop, empty if nowhere.
func (c *Comm) timelinePath(o *loopOptions) string {
	switch {
	case !c.IsRoot():
		return ""
	case o.timeline != "":
		return o.timeline
	}
	return c.loops.timeline
}

// openTimeline begins the section of a loop.
func (c *Comm) openTimeline(path string, a announcement, slots []int, entered time.Duration, o *loopOptions) (*timeline.Section, error) {
	h := timeline.Head{
		Kind: a.op, Label: o.label, Job: c.info.Job, Items: a.length,
		Began: time.Now().Add(entered - c.clock()),
	}
	if a.isExecute() {
		h.Kind = opExecute
	}
	for rank, n := range slots {
		h.Ranks = append(h.Ranks, timeline.Rank{Host: c.host(rank), Slots: n})
	}
	return timeline.Open(path, c.loops.epoch, entered, h)
}

// timelineAlone begins the loop of a rank that is alone, and its section if there
// is to be one.
func (c *Comm) timelineAlone(ctx context.Context, a announcement, o *loopOptions) (*timeline.Section, error) {
	entered := c.clock()
	if err := c.beginAlone(ctx, a.op); err != nil {
		return nil, err
	}
	path := c.timelinePath(o)
	if path == "" {
		return nil, nil
	}
	return c.openTimeline(path, a, []int{1}, entered, o)
}

// leaveTimeline closes the section when neither rank 0 is in the loop any more nor
// another rank.
func (l *managed) leaveTimeline() {
	if l.users.Add(-1) == 0 {
		closeSection(l.section)
	}
}

func closeSection(s *timeline.Section) {
	if err := s.Close(); err != nil {
		fmt.Fprintf(os.Stderr, "dlp: %v: it is not complete\n", err)
	}
}

// closeTimeline ends a section with the loop.
func closeTimeline(s *timeline.Section, failed error) {
	s.End(failed)
	closeSection(s)
}
