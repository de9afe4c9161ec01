package loop

import (
	"fmt"
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

// spansOf returns the runs in ascending numbers.
func spansOf(numbers []int) []span {
	var spans []span
	for _, i := range numbers {
		if n := len(spans); n > 0 && spans[n-1].end() == i {
			spans[n-1].n++
		} else {
			spans = append(spans, span{i, 1})
		}
	}
	return spans
}

// listOf prints spans behind a word for what they count: "item 3", "items 3,7-9".
func listOf(word string, spans []span) string {
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = s.String()
	}
	if len(spans) != 1 || spans[0].n != 1 {
		word += "s"
	}
	return word + " " + strings.Join(parts, ",")
}

func itemList(spans []span) string { return listOf("item", spans) }

// RankList prints ranks, which are in ascending order: "ranks 0-2,5".
func RankList(ranks []int) string { return listOf("rank", spansOf(ranks)) }
