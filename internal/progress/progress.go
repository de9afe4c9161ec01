// Package progress is how far a loop is, and how that looks: as a line of a
// log, or as a bar. The rank that knows it and the launcher that has the
// terminal are two processes.
package progress

import (
	"fmt"
	"strings"
	"time"
)

// State is how far a loop is. The zero State says that there is nothing to
// show.
type State struct {
	Label string        `json:"label,omitempty"` // of the loop; may be empty
	Done  int           `json:"done"`            // items
	Total int           `json:"total,omitempty"` // items; not positive: nobody knows
	Busy  int           `json:"busy,omitempty"`  // ranks that work, or what Unit names
	Unit  string        `json:"unit,omitempty"`  // "": rank
	Took  time.Duration `json:"took"`            // since the loop began
	Last  bool          `json:"last,omitempty"`  // the loop is over
}

// Text is one line: label, done/total, rate, time left, busy ranks.
func (s State) Text() string {
	var b strings.Builder
	if s.Label != "" {
		fmt.Fprintf(&b, "%s: ", s.Label)
	}
	fmt.Fprint(&b, s.Done)
	if s.Total > 0 {
		fmt.Fprintf(&b, "/%d (%d%%)", s.Total, 100*s.Done/s.Total)
	}
	rate := float64(s.Done) / max(s.Took.Seconds(), 1e-9)
	fmt.Fprintf(&b, ", %s/s", rateText(rate))
	switch {
	case s.Last:
		fmt.Fprintf(&b, ", took %v", Round(s.Took))
	case s.Total > 0 && s.Done > 0:
		left := time.Duration(float64(s.Total-s.Done) / rate * float64(time.Second))
		fmt.Fprintf(&b, ", %v left, %s busy", Round(left), unitsText(s.Busy, s.Unit))
	default:
		fmt.Fprintf(&b, ", %s busy", unitsText(s.Busy, s.Unit))
	}
	return b.String()
}

const barWidth = 30 // characters

// Bar is the same with a bar before it, if the total is known.
func (s State) Bar() string {
	if s.Total <= 0 {
		return s.Text()
	}
	full := min(max(0, barWidth*s.Done/s.Total), barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] " + s.Text()
}

// rateText prints a rate with three digits, but no exponent.
func rateText(rate float64) string {
	if rate >= 1000 {
		return fmt.Sprintf("%.0f", rate)
	}
	return fmt.Sprintf("%.3g", rate)
}

func unitsText(n int, unit string) string {
	if unit == "" {
		unit = "rank"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// Round drops the digits of a duration that nobody reads.
func Round(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(100 * time.Millisecond)
	case d > 100*time.Millisecond:
		return d.Round(time.Millisecond)
	case d > time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
