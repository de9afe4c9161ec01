package source

import (
	"fmt"
	"iter"
	"strings"
)

// Barrier says what an item waits for.
type Barrier int

const (
	NoBarrier    Barrier = iota
	AfterAll             // those before it are finished
	AfterSuccess         // and none of them has failed
)

// String is the barrier as a directive has it.
func (b Barrier) String() string { return [...]string{"", "BARRIER", "BARRIER CHECK"}[b] }

// Directives yields the commands of a list, one a line, that has lines for this
// package between them, as disBatch has:
//
//	#DLP BARRIER        what follows waits for the end of all before
//	#DLP BARRIER CHECK  and is not done if one of them has failed
//	#DLP PREFIX TEXT    TEXT stands before each command that follows
//	#DLP SUFFIX TEXT    TEXT stands behind it
//
// TEXT is taken as it is, with blanks at its end, until another one comes.
// #DISBATCH is the same as #DLP. Such a line with another word is an error: to
// the shell it would be a comment that does nothing.
func Directives(lines iter.Seq2[Item, error]) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var d directives
		for item, err := range lines {
			if err == nil {
				var is bool
				if is, err = d.read(item.Text()); is && err == nil {
					continue
				}
			}
			if err != nil {
				yield(Item{}, err)
				return
			}
			item = Item{Columns: []string{d.prefix + item.Text() + d.suffix}, Barrier: d.barrier}
			d.barrier = NoBarrier
			if !yield(item, nil) {
				return
			}
		}
	}
}

// directives is what lines before an item say about it.
type directives struct {
	prefix, suffix string
	barrier        Barrier
}

// read takes a line that is a directive.
func (d *directives) read(line string) (is bool, err error) {
	mark, rest, _ := strings.Cut(line, " ")
	if mark != "#DLP" && mark != "#DISBATCH" {
		return false, nil
	}
	word, text, _ := strings.Cut(rest, " ")
	switch {
	case word == "BARRIER" && text == "":
		d.barrier = max(d.barrier, AfterAll)
	case word == "BARRIER" && text == "CHECK":
		d.barrier = AfterSuccess
	case word == "PREFIX":
		d.prefix = text
	case word == "SUFFIX":
		d.suffix = text
	case word == "REPEAT":
		return true, fmt.Errorf("%q: a command that is repeated is --range 0-9 COMMAND", line)
	default:
		return true, fmt.Errorf("%q: want %s BARRIER, BARRIER CHECK, PREFIX TEXT or SUFFIX TEXT", line, mark)
	}
	return true, nil
}
