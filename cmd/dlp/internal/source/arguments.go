package source

import (
	"errors"
	"iter"
)

// Separators of arguments: what follows the first is a list whose elements are
// combined with all of the lists before, what follows the second is paired
// with the list before, element by element.
const (
	productMark = ":::"
	pairMark    = ":::+"
)

// Cut splits a command line at its first ::: into the command and the lists of
// arguments; rest begins with the separator and is empty if there is none.
func Cut(args []string) (command, rest []string) {
	for i, arg := range args {
		if arg == productMark || arg == pairMark {
			return args[:i], args[i:]
		}
	}
	return args, nil
}

// Arguments yields the items that lists of arguments stand for, the last list
// fastest. Each list begins with ::: or :::+, the first one with :::. Of a pair
// the shorter list ends both.
func Arguments(rest []string) (iter.Seq2[Item, error], error) {
	lists, err := parseLists(rest)
	if err != nil {
		return nil, err
	}
	return func(yield func(Item, error) bool) { product(lists, nil, yield) }, nil
}

// parseLists returns the lists whose product is meant. Each is a list of rows:
// one column, or several that are paired.
func parseLists(rest []string) (lists [][][]string, err error) {
	for len(rest) > 0 {
		mark := rest[0]
		values, more := Cut(rest[1:])
		rest = more
		rows := make([][]string, len(values))
		for i, value := range values {
			rows[i] = []string{value}
		}
		switch {
		case mark == productMark:
			lists = append(lists, rows)
		case len(lists) == 0:
			return nil, errors.New("the first list of arguments begins with :::, not :::+")
		default:
			lists[len(lists)-1] = pair(lists[len(lists)-1], rows)
		}
	}
	return lists, nil
}

func pair(left, right [][]string) [][]string {
	rows := make([][]string, min(len(left), len(right)))
	for i := range rows {
		rows[i] = append(left[i][:len(left[i]):len(left[i])], right[i]...)
	}
	return rows
}

// product yields before with every row of the lists; false means stop.
func product(lists [][][]string, before []string, yield func(Item, error) bool) bool {
	if len(lists) == 0 {
		return yield(Item{Columns: before}, nil)
	}
	for _, row := range lists[0] {
		if !product(lists[1:], append(before[:len(before):len(before)], row...), yield) {
			return false
		}
	}
	return true
}
