package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/progress"
)

// shownFailures is how many items that failed are named at the end.
const shownFailures = 20

// tally counts what has become of the items.
type tally struct {
	begin       time.Time
	mu          sync.Mutex // of done and failures, for counts; one goroutine changes them
	done        int
	failures    int
	interrupted int
	resumed     int           // of done and failures, by an earlier start
	work        time.Duration // of all items
	spans       []span
	shown       []failure // the first ones
	lastItem    int       // index of the one that ended last
}

// span is when an item ran, as rank 0 has seen it.
type span struct{ begin, end time.Duration } // since tally.begin

// failure is an item that has failed.
type failure struct {
	task   task
	report report
	rank   int
	host   string
}

func (y *tally) add(t task, r *report, rank int, host string) {
	end := time.Since(y.begin)
	y.work += r.Took
	y.lastItem = r.Index
	y.spans = append(y.spans, span{max(0, end-r.Took), end})
	y.mu.Lock()
	defer y.mu.Unlock()
	if !r.failed() {
		y.done++
		return
	}
	y.fail(failure{t, *r, rank, host})
}

// resume counts what an earlier start has done.
func (y *tally) resume(t task, r *report, rank int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.resumed++
	if !r.failed() {
		y.done++
		return
	}
	y.fail(failure{t, *r, rank, r.Host})
}

func (y *tally) fail(f failure) {
	y.failures++
	if len(y.shown) < shownFailures {
		f.report.Output = [2][]byte{}
		y.shown = append(y.shown, f)
	}
}

// counts may be called by any goroutine.
func (y *tally) counts() (done, failures int, begin time.Time) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.done, y.failures, y.begin
}

// list is a paragraph for each item that has failed.
func (y *tally) list() string {
	var b strings.Builder
	for _, f := range y.shown {
		fmt.Fprintf(&b, "dlp map: item %d (%s) failed on rank %d (%s): %s\n", f.task.Index+1, short(f.task.item().Text()), f.rank, f.host, f.report.how())
		for line := range strings.Lines(f.report.Tail) {
			fmt.Fprintf(&b, "    %s\n", printable(strings.TrimSuffix(line, "\n")))
		}
	}
	if more := y.failures - len(y.shown); more > 0 {
		fmt.Fprintf(&b, "dlp map: and %d more\n", more)
	}
	return b.String()
}

// how says how an item has failed.
func (r *report) how() string {
	text := r.Note
	switch {
	case text != "":
	case r.Signal != 0:
		text = fmt.Sprintf("killed by signal %d", r.Signal)
	default:
		text = fmt.Sprintf("exit status %d", r.Status)
	}
	if r.Attempt > 1 {
		text += fmt.Sprintf(", %d attempts", r.Attempt)
	}
	return text
}

// short is a text of bounded length for a message.
func short(text string) string {
	const most = 60
	text = printable(text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

// printable is text without what would move the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// summary is one sentence about the whole map with a number of slots; empty says
// that there was no item, and cut that not all were taken.
func (y *tally) summary(slots int, empty, cut bool) string {
	elapsed := time.Since(y.begin)
	switch {
	case empty:
		return "no item was done: the list is empty"
	case y.done+y.failures == 0:
		return "no item was done"
	}
	if y.done+y.failures == y.resumed {
		return fmt.Sprintf("%d done, %d failed, all of them by an earlier start", y.done, y.failures)
	}
	earlier := ""
	if y.resumed > 0 {
		earlier = fmt.Sprintf(" (%d of them by an earlier start)", y.resumed)
	}
	speedup := y.work.Seconds() / elapsed.Seconds()
	limit := ""
	if !cut {
		limit = y.limit(slots, elapsed)
	}
	return fmt.Sprintf("%d done, %d failed%s in %s: %s of work, speed-up %.1f, efficiency %.0f %% (%.1f of %s busy on average)%s",
		y.done, y.failures, earlier, progress.Round(elapsed), progress.Round(y.work), speedup, 100*speedup/float64(slots), speedup, counted(slots, "slot"), limit)
}

// limitFrom is how long a map takes of which it is worth saying what has limited
// it.
const limitFrom = 2 * time.Second

// limit names what kept slots from being busy, if that is much of the time.
func (y *tally) limit(slots int, elapsed time.Duration) string {
	items := len(y.spans)
	idle := elapsed*time.Duration(slots) - y.work
	tail, last := y.tail(slots)
	switch {
	case elapsed < limitFrom:
		return ""
	case idle < elapsed*time.Duration(slots)/10:
		return ""
	case items < slots:
		return "; there were fewer items than slots"
	case tail > elapsed/10:
		return fmt.Sprintf("; most slots were idle in the last %s, which waited for item %d", progress.Round(tail), last+1)
	case y.work/time.Duration(items) < 20*time.Millisecond:
		return fmt.Sprintf("; items take %s on average, which is little beside what each costs: -n takes several at once", progress.Round(y.work/time.Duration(items)))
	}
	return ""
}

// tail is how long at the end fewer than half of the slots were busy, and the
// item that ended last.
func (y *tally) tail(slots int) (idle time.Duration, last int) {
	ends := make([]time.Duration, len(y.spans))
	begins := make([]time.Duration, len(y.spans))
	for i, s := range y.spans {
		begins[i], ends[i] = s.begin, s.end
	}
	slices.Sort(begins)
	slices.Sort(ends)
	end := ends[len(ends)-1]
	// Backwards: as many are busy as have begun and not ended.
	busy, at := 0, end
	i, j := len(ends)-1, len(begins)-1
	for i >= 0 || j >= 0 {
		if i >= 0 && ends[i] >= begins[j] {
			busy, at = busy+1, ends[i]
			i--
		} else {
			busy, at = busy-1, begins[j]
			j--
		}
		if 2*busy >= slots {
			break
		}
	}
	return end - at, y.lastItem
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
