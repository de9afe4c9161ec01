// Package command makes the command line of an item out of a template with
// replacement strings, as GNU parallel has them.
//
//	{}          the item; where it has several columns and stands alone, an
//	            argument for each of them
//	{1} {2} ..  one column
//	{.} {/}     without the extension, without the directory
//	{//} {/.}   the directory, the name without directory and extension
//	{1.} {1/}.. the same of a column
//	{#} {%}     the number of the item, from 1; the number of the slot, from 1
//
// A replacement never makes more arguments than that, whatever blanks, quotes
// or newlines are in it. A template for a shell has what is replaced in quotes,
// so that it is one word there too.
package command

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

// Values are what a template is filled with.
type Values struct {
	Item   source.Item
	Number int // of the item, from 1
	Slot   int // from 1
}

// Template is a command line with replacement strings.
type Template struct {
	words []word
	shell bool
	input bool // the item is not in the command line
}

// Mode says how a template is to be run.
type Mode struct {
	Shell bool // by sh -c, as one line
	Stdin bool // the item goes to the command's stdin: {} is not appended
}

// word is an argument: text, then a replacement, then text...
type word struct {
	texts  []string // one more than fields
	fields []field
}

// field is one replacement string.
type field struct {
	kind   string // "", ".", "/", "//", "/.", "#", "%"
	column int    // from 1; 0: all
}

var replacement = regexp.MustCompile(`\{(?:(#|%)|([1-9][0-9]{0,5})?(//|/\.|/|\.)?)\}`)

// Parse reads a command. One without a replacement string gets {} as its last
// argument. No command at all means that each item is a line for a shell.
func Parse(args []string, mode Mode) (*Template, error) {
	t := &Template{shell: mode.Shell, input: mode.Stdin}
	if len(args) == 0 {
		if mode.Stdin {
			return nil, fmt.Errorf("the item goes to the stdin of a command, and there is none")
		}
		t.shell = true
		return t, nil
	}
	replaced := mode.Stdin
	for _, arg := range args {
		w := parseWord(arg)
		replaced = replaced || w.namesItem()
		t.words = append(t.words, w)
	}
	if !replaced {
		t.words = append(t.words, parseWord("{}"))
	}
	return t, nil
}

func parseWord(arg string) word {
	var w word
	end := 0
	for _, at := range replacement.FindAllStringSubmatchIndex(arg, -1) {
		group := func(n int) string {
			if at[2*n] < 0 {
				return ""
			}
			return arg[at[2*n]:at[2*n+1]]
		}
		f := field{kind: group(1) + group(3)}
		f.column, _ = strconv.Atoi(group(2)) // digits, or nothing
		w.texts = append(w.texts, arg[end:at[0]])
		w.fields = append(w.fields, f)
		end = at[1]
	}
	w.texts = append(w.texts, arg[end:])
	return w
}

func (w word) namesItem() bool {
	for _, f := range w.fields {
		if f.kind != "#" && f.kind != "%" {
			return true
		}
	}
	return false
}

// alone says whether the word is {} or one of its kin, and nothing else.
func (w word) alone() bool {
	return len(w.fields) == 1 && w.texts[0] == "" && w.texts[1] == "" && w.fields[0].column == 0
}

// FixedProgram says whether all items are run by one program.
func (t *Template) FixedProgram() bool {
	return len(t.words) > 0 && !t.shell && len(t.words[0].fields) == 0
}

// Args returns the arguments of the command for an item, the program first.
// What cannot be an argument, and a column that the item has not, is an error.
func (t *Template) Args(v Values) ([]string, error) {
	if len(t.words) == 0 {
		text := v.Item.Text()
		return []string{"/bin/sh", "-c", text}, checkArgument(text)
	}
	quote := func(s string) string { return s }
	if t.shell {
		quote = Quote
	}
	args := make([]string, 0, len(t.words)+2)
	for _, w := range t.words {
		var err error
		if args, err = w.appendTo(args, v, quote); err != nil {
			return nil, err
		}
	}
	if t.shell {
		args = []string{"/bin/sh", "-c", strings.Join(args, " ")}
	}
	return args, nil
}

func (w word) appendTo(args []string, v Values, quote func(string) string) ([]string, error) {
	if w.alone() && w.fields[0].kind != "#" && w.fields[0].kind != "%" {
		for _, column := range v.Item.Columns {
			if err := checkArgument(column); err != nil {
				return nil, err
			}
			args = append(args, quote(cut(column, w.fields[0].kind)))
		}
		return args, nil
	}
	if len(w.fields) == 0 {
		return append(args, w.texts[0]), nil
	}
	var b strings.Builder
	for i, f := range w.fields {
		value, err := f.value(v)
		if err == nil {
			err = checkArgument(value)
		}
		if err != nil {
			return nil, err
		}
		b.WriteString(w.texts[i])
		b.WriteString(quote(value))
	}
	b.WriteString(w.texts[len(w.fields)])
	return append(args, b.String()), nil
}

func (f field) value(v Values) (string, error) {
	switch {
	case f.kind == "#":
		return strconv.Itoa(v.Number), nil
	case f.kind == "%":
		return strconv.Itoa(v.Slot), nil
	case f.column > len(v.Item.Columns):
		return "", fmt.Errorf("{%d}: the item has %s; --colsep cuts lines into columns", f.column, columns(len(v.Item.Columns)))
	case f.column > 0:
		return cut(v.Item.Columns[f.column-1], f.kind), nil
	}
	parts := make([]string, len(v.Item.Columns))
	for i, column := range v.Item.Columns {
		parts[i] = cut(column, f.kind)
	}
	return strings.Join(parts, " "), nil
}

func columns(n int) string {
	if n == 1 {
		return "one column"
	}
	return fmt.Sprintf("%d columns", n)
}
