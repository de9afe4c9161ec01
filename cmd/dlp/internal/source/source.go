// Package source is where the items of a map come from: lines of a file,
// arguments, numbers.
//
// A sequence of items yields at most one error, last. Lines are read as they
// are asked for, so that an endless source is as good as a file; a sequence of
// lines can be ranged over once.
package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
)

// Item is one set of values for a command: the columns of a line, or an
// element of each list of arguments.
type Item struct {
	Columns []string
	Barrier Barrier // before it
}

// Text is the item as one string, its columns with a blank between them.
func (i Item) Text() string { return strings.Join(i.Columns, " ") }

// Lines yields an item for each line of r. A line ends with end, which is '\n'
// or 0; the last one needs no end. Empty lines that end with '\n' are left out.
// With separator, a line is cut into columns where that stands.
func Lines(r io.Reader, end byte, separator string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		reader := bufio.NewReaderSize(r, 64<<10)
		for number := 1; ; number++ {
			line, err := reader.ReadBytes(end)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Item{}, fmt.Errorf("line %d: %w", number, err))
				return
			}
			last := err != nil
			line = bytes.TrimSuffix(line, []byte{end})
			skip := len(line) == 0 && (last || end == '\n')
			if !skip && !yield(columns(string(line), separator), nil) {
				return
			}
			if last {
				return
			}
		}
	}
}

func columns(line, separator string) Item {
	if separator == "" {
		return Item{Columns: []string{line}}
	}
	return Item{Columns: strings.Split(line, separator)}
}

// Range yields the whole numbers from first to last, both included, in steps;
// it has the text FIRST-LAST or FIRST-LAST:STEP. Numbers are as wide as the
// first one is written: 001-100 yields 001.
func Range(text string) (iter.Seq2[Item, error], error) {
	bounds, stepText, stepped := strings.Cut(text, ":")
	firstText, lastText, ok := strings.Cut(bounds, "-")
	first, err1 := strconv.ParseUint(firstText, 10, 63)
	last, err2 := strconv.ParseUint(lastText, 10, 63)
	step, err3 := uint64(1), error(nil)
	if stepped {
		step, err3 = strconv.ParseUint(stepText, 10, 63)
	}
	switch {
	case !ok || err1 != nil || err2 != nil || err3 != nil:
		return nil, fmt.Errorf("range %q: want FIRST-LAST or FIRST-LAST:STEP, such as 0-999:10", text)
	case step == 0:
		return nil, fmt.Errorf("range %q: the step is 0", text)
	case first > last:
		return nil, fmt.Errorf("range %q: it ends before it begins", text)
	}
	width := 0
	if strings.HasPrefix(firstText, "0") {
		width = len(firstText)
	}
	return func(yield func(Item, error) bool) {
		for n := first; ; n += step {
			if !yield(Item{Columns: []string{fmt.Sprintf("%0*d", width, n)}}, nil) || n > math.MaxUint64-step || n+step > last {
				return
			}
		}
	}, nil
}

// Pack puts the columns of each n items into one; the last may have fewer.
func Pack(items iter.Seq2[Item, error], n int) iter.Seq2[Item, error] {
	if n <= 1 {
		return items
	}
	return func(yield func(Item, error) bool) {
		var packed Item
		count := 0
		for item, err := range items {
			if err != nil {
				if count == 0 || yield(packed, nil) {
					yield(Item{}, err)
				}
				return
			}
			packed.Columns = append(packed.Columns, item.Columns...)
			if count++; count < n {
				continue
			}
			if !yield(packed, nil) {
				return
			}
			packed, count = Item{}, 0
		}
		if count > 0 {
			yield(packed, nil)
		}
	}
}
