package slurm

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxHosts is how many nodes and tasks a step may have that StepFromEnv reads:
// more than any cluster, and less than what would exhaust memory.
const maxHosts = 1_000_000

// Limits of what ParseHostlist accepts.
const (
	maxNameLen   = 255   // bytes of one expanded name; DNS and Linux allow less
	maxRangeSize = 65536 // names of one range; hostlist.c, MAX_RANGE
)

// Hostlist is a parsed list of node names such as n2cn[0501-0512],login1.
//
// The grammar is that of scontrol show hostnames:
//
//	list   = item { sep item }          sep: one or more of , blank tab newline
//	item   = text { '[' ranges ']' text }
//	ranges = range { ',' range }        range: N or N-M, unsigned decimal
//
// Numbers of a range are padded with zeros to the width of N, however wide that
// is, and are less than 2^64: Slurm takes the largest uint64 for a greater one.
// Order and duplicates are kept. A newline separates names as it does for Slurm
// 24.11; for Slurm 22.05 it is part of a name. Unlike Slurm before 23.02.5, text after the last
// bracket is accepted; unlike any Slurm, blanks and signs inside brackets,
// brackets in brackets, unbalanced ones and open ranges are errors.
//
// A Hostlist takes memory for its text only, however many names it stands for.
// The zero value is an empty list.
type Hostlist struct {
	items []hostItem
}

// hostItem is text[0] group[0] text[1] group[1] ... text[len(groups)].
type hostItem struct {
	text   []string
	groups [][]hostRange
}

type hostRange struct {
	first, last uint64
	width       int
}

// HostlistError says where in a hostlist something is wrong.
type HostlistError struct {
	Text   string // the whole list
	Column int    // first byte that is wrong, counted from 1
	Reason string
}

func (e *HostlistError) Error() string {
	const shown = 60
	// The part around the column, so that a list of 10 kB stays readable.
	from := max(0, min(e.Column-1-shown/2, len(e.Text)-shown))
	to := min(len(e.Text), from+shown)
	before, after := "", ""
	if from > 0 {
		before = "..."
	}
	if to < len(e.Text) {
		after = "..."
	}
	return fmt.Sprintf("slurm: hostlist %s%q%s: column %d: %s", before, e.Text[from:to], after, e.Column, e.Reason)
}

// Expand returns all names of the list, in order and with duplicates, or an error
// if there are more than limit.
func (h Hostlist) Expand(limit int) ([]string, error) {
	n := h.Len()
	if n > limit {
		return nil, fmt.Errorf("slurm: hostlist of %d names is longer than the limit of %d", n, limit)
	}
	names := make([]string, 0, n)
	return slices.AppendSeq(names, h.All()), nil
}

// First returns the first name of the list, or "" if the list is empty.
func (h Hostlist) First() string {
	for name := range h.All() {
		return name
	}
	return ""
}

// Len returns the number of names, without producing them. It stops at
// math.MaxInt.
func (h Hostlist) Len() int {
	total := 0
	for _, item := range h.items {
		n := 1
		for _, group := range item.groups {
			n = mulSat(n, groupLen(group))
		}
		if total > math.MaxInt-n {
			return math.MaxInt
		}
		total += n
	}
	return total
}

// All returns the names one by one. The next name is made when it is asked for.
func (h Hostlist) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, item := range h.items {
			if !item.all(yield) {
				return
			}
		}
	}
}

// all yields the names of one item and says whether to go on.
//
// The order of three or more groups is Slurm's and is not row-major: the last
// group counts fastest, then the first, the second, and so on, so that the last
// but one counts slowest.
func (it hostItem) all(yield func(string) bool) bool {
	n := len(it.groups)
	if n == 0 {
		return yield(it.text[0])
	}
	order := make([]int, 0, n) // slowest first
	for g := n - 2; g >= 0; g-- {
		order = append(order, g)
	}
	order = append(order, n-1)

	numbers := make([]string, n)
	var walk func(level int) bool
	walk = func(level int) bool {
		if level == n {
			return yield(it.name(numbers))
		}
		for _, r := range it.groups[order[level]] {
			// Not a plain loop to last: last may be the largest uint64.
			for i := range r.size() {
				numbers[order[level]] = r.number(r.first + i)
				if !walk(level + 1) {
					return false
				}
			}
		}
		return true
	}
	return walk(0)
}

func (it hostItem) name(numbers []string) string {
	var b strings.Builder
	for i, number := range numbers {
		b.WriteString(it.text[i])
		b.WriteString(number)
	}
	b.WriteString(it.text[len(numbers)])
	return b.String()
}

func (r hostRange) size() uint64 { return r.last - r.first + 1 }

// number prints n with at least the digits of the range's first number.
func (r hostRange) number(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	if missing := r.width - len(digits); missing > 0 {
		return strings.Repeat("0", missing) + digits
	}
	return digits
}

func groupLen(group []hostRange) int {
	n := 0
	for _, r := range group {
		n += int(r.size()) // at most maxRangeSize for at least two bytes of text
	}
	return n
}

func mulSat(a, b int) int {
	if b != 0 && a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}
