package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Blocks yields items of whole lines of r, with their ends, which is '\n' or 0: as
// many as come to no more than size bytes, and lines of them at most if that is
// above 1. A line that is longer is an item of its own. Together they are what r
// has.
func Blocks(r io.Reader, end byte, size, lines int) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		reader := bufio.NewReaderSize(r, 64<<10)
		var block []byte
		count := 0
		flush := func() (more bool) {
			more = len(block) == 0 || yield(Item{Columns: []string{string(block)}}, nil)
			block, count = block[:0], 0
			return more
		}
		for number := 1; ; number++ {
			line, err := reader.ReadBytes(end)
			if len(block)+len(line) > size && !flush() {
				return
			}
			block = append(block, line...)
			count++
			switch {
			case errors.Is(err, io.EOF):
				flush()
				return
			case err != nil:
				if flush() {
					yield(Item{}, fmt.Errorf("line %d: %w", number, err))
				}
				return
			case lines > 1 && count == lines && !flush():
				return
			}
		}
	}
}
