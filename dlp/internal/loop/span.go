package loop

import (
	"fmt"
	"slices"
	"strings"
)

// span is a run of indices.
type span struct{ first, n int }

func (s span) end() int { return s.first + s.n }

func (s span) String() string {
	if s.n == 1 {
		return fmt.Sprint(s.first)
	}
	return fmt.Sprintf("%d-%d", s.first, s.end()-1)
}

// count is how many indices there are in spans.
func count(spans []span) int {
	n := 0
	for _, s := range spans {
		n += s.n
	}
	return n
}

// spansOf returns the runs in ascending numbers.
func spansOf(numbers []int) []span {
	var spans []span
	for _, i := range numbers {
		spans = extend(spans, i)
	}
	return spans
}

// extend appends a number, to the last run if it goes on with that.
func extend(spans []span, i int) []span {
	if n := len(spans); n > 0 && spans[n-1].end() == i {
		spans[n-1].n++
		return spans
	}
	return append(spans, span{i, 1})
}

// below returns what there is of spans below n, in the same memory.
func below(spans []span, n int) []span {
	spans = slices.DeleteFunc(spans, func(s span) bool { return s.first >= n })
	for i := range spans {
		spans[i].n = min(spans[i].n, n-spans[i].first)
	}
	return spans
}

// merged returns spans, none of which overlap, in ascending order and with those
// that meet made one, in the same memory.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.first - b.first })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].end() == s.first {
			out[n-1].n += s.n
		} else {
			out = append(out, s)
		}
	}
	return out
}

// maxListed bounds how many spans a list names. The others are counted.
const maxListed = 50

// listOf prints spans behind a word for what they count: "item 3", "items 3,7-9".
func listOf(word string, spans []span) string {
	var parts []string
	more := 0
	for i, s := range spans {
		if i < maxListed {
			parts = append(parts, s.String())
		} else {
			more += s.n
		}
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	if len(spans) != 1 || spans[0].n != 1 {
		word += "s"
	}
	return word + " " + strings.Join(parts, ",")
}

func itemList(spans []span) string { return listOf("item", spans) }

// RankList prints ranks, which are in ascending order: "ranks 0-2,5".
func RankList(ranks []int) string { return listOf("rank", spansOf(ranks)) }
