package source

import (
	"errors"
	"io"
	"iter"
	"os"
)

// Spec says where items come from: one of Arguments, Range, File, or stdin.
type Spec struct {
	Arguments []string // with their separators; nil: none
	Range     string
	File      string // "-" is stdin
	NUL       bool   // lines end with it, not with a newline
	Separator string // of columns
	Pack      int    // items in one
	Block     int    // bytes of lines, whole ones, that are an item; 0: a line is. With Pack so many lines
	Commands  bool   // lines are commands for a shell, and may have directives between them
}

// Check says what is wrong with a Spec, without looking at files.
func (s Spec) Check() error {
	given := 0
	for _, is := range []bool{s.Arguments != nil, s.Range != "", s.File != ""} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("items come from one place: :::, --range or -a")
	case s.Separator != "" && (s.Arguments != nil || s.Range != ""):
		return errors.New("--colsep is for lines; a second ::: gives a second column")
	case s.Block > 0 && (s.Arguments != nil || s.Range != ""):
		return errors.New("--pipe is for lines of stdin or of -a")
	case s.Block > 0 && s.Separator != "":
		return errors.New("--colsep: --pipe cuts no lines into columns")
	case s.Pack < 1:
		return errors.New("-n: a command has at least one item")
	}
	_, _, err := s.fixed()
	return err
}

// Stdin says whether items are read from there.
func (s Spec) Stdin() bool {
	return s.Arguments == nil && s.Range == "" && (s.File == "" || s.File == "-")
}

// fixed returns the items of a command line.
func (s Spec) fixed() (items iter.Seq2[Item, error], ok bool, err error) {
	switch {
	case s.Arguments != nil:
		items, err = Arguments(s.Arguments)
	case s.Range != "":
		items, err = Range(s.Range)
	default:
		return nil, false, nil
	}
	return items, true, err
}

// Open returns the items, and what is to be closed behind them.
func (s Spec) Open(stdin io.Reader) (iter.Seq2[Item, error], io.Closer, error) {
	items, ok, err := s.fixed()
	if err != nil {
		return nil, nil, err
	}
	if ok {
		return Pack(items, s.Pack), io.NopCloser(nil), nil
	}
	var closer io.Closer = io.NopCloser(nil)
	if !s.Stdin() {
		file, err := os.Open(s.File)
		if err != nil {
			return nil, nil, err
		}
		stdin, closer = file, file
	}
	end := byte('\n')
	if s.NUL {
		end = 0
	}
	if s.Block > 0 {
		return Blocks(stdin, end, s.Block, s.Pack), closer, nil
	}
	items = Lines(stdin, end, s.Separator)
	if s.Commands {
		items = Directives(items)
	}
	return Pack(items, s.Pack), closer, nil
}
