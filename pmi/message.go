package pmi

import (
	"fmt"
	"strconv"
	"strings"
)

// maxRequest is the longest request, newline included, that every launcher
// takes: slurmstepd reads 1024 bytes once, drops the value of a longer put,
// and reports success (Slurm 22.05).
const maxRequest = 1024

// message is one parsed line.
type message struct {
	fields []field
}

// field is one word of a line. A word without "=" has pair false and stands
// in key; a value that was sent with a space in it leaves such words behind.
type field struct {
	key, value string
	pair       bool
}

// parseMessage takes a line without its newline apart. Order, unknown keys and
// runs of spaces do not matter (RFC 13 of the Flux project asks for that).
func parseMessage(line string) (message, error) {
	var m message
	for word := range strings.SplitSeq(line, " ") {
		if word == "" {
			continue
		}
		key, value, pair := strings.Cut(word, "=")
		m.fields = append(m.fields, field{key, value, pair})
	}
	if m.command() == "" {
		return message{}, fmt.Errorf("no cmd= in %s", quote(line))
	}
	return m, nil
}

// command returns the name of the message.
func (m message) command() string {
	name, _ := m.get("cmd")
	return name
}

// get returns the value of the first field called key: what follows later in
// the line may be the rest of somebody's value.
func (m message) get(key string) (value string, ok bool) {
	for _, f := range m.fields {
		if f.pair && f.key == key {
			return f.value, true
		}
	}
	return "", false
}

// number returns the value of key as an integer.
func (m message) number(key string) (int, error) {
	text, ok := m.get(key)
	if !ok {
		return 0, fmt.Errorf("no %s= in %s", key, m)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s=%.40q is not a number", key, text)
	}
	return n, nil
}

// stray returns the first word that is not a pair, or "".
func (m message) stray() string {
	for _, f := range m.fields {
		if !f.pair {
			return f.key
		}
	}
	return ""
}

// String shows the line for an error message, without what follows value=.
func (m message) String() string {
	words := make([]string, len(m.fields))
	for i, f := range m.fields {
		words[i] = f.key
		if f.pair {
			words[i] += "=" + f.value
		}
	}
	return quote(strings.Join(words, " "))
}

// quote shows a line for an error message: shortened, and without what follows
// value=, which is where the keys of jobs travel.
func quote(line string) string {
	if head, tail, found := strings.Cut(line, "value="); found {
		line = fmt.Sprintf("%svalue=(%d bytes)", head, len(tail))
	}
	const longest = 200
	if len(line) > longest {
		return fmt.Sprintf("%q... (%d bytes)", line[:longest], len(line))
	}
	return strconv.Quote(line)
}

// appendMessage appends the line of a message: its command, then pairs of key
// and value, then a newline. The fields are checked by the caller, constants,
// or words of a parsed line: none has a space or a newline.
func appendMessage(line []byte, command string, pairs ...string) []byte {
	line = append(append(line, "cmd="...), command...)
	for i := 0; i+1 < len(pairs); i += 2 {
		line = append(append(line, ' '), pairs[i]...)
		line = append(append(line, '='), pairs[i+1]...)
	}
	return append(line, '\n')
}
