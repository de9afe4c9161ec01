package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseHostlist checks a hostlist without expanding it: it costs as much as the
// text is long, not as much as the list has names. An empty text is an empty
// list. Errors are of type *HostlistError.
//
// The text (null), which Slurm prints for a list it does not have, is a legal
// name here as it is for scontrol; the environment functions of this package
// read it as unset.
func ParseHostlist(text string) (Hostlist, error) {
	p := hostParser{text: text}
	var h Hostlist
	for {
		p.skipSeparators()
		if p.done() {
			return h, nil
		}
		item, err := p.item()
		if err != nil {
			return Hostlist{}, err
		}
		h.items = append(h.items, item)
	}
}

type hostParser struct {
	text string
	pos  int
}

func (p *hostParser) done() bool { return p.pos == len(p.text) }

// fail reports what is wrong at a byte offset.
func (p *hostParser) fail(pos int, format string, args ...any) error {
	return &HostlistError{Text: p.text, Column: pos + 1, Reason: fmt.Sprintf(format, args...)}
}

func (p *hostParser) skipSeparators() {
	for !p.done() && isSeparator(p.text[p.pos]) {
		p.pos++
	}
}

func isSeparator(c byte) bool { return c == ',' || c == ' ' || c == '\t' || c == '\n' }

// item reads up to the next separator outside brackets.
func (p *hostParser) item() (hostItem, error) {
	start := p.pos
	var it hostItem
	length := 0 // of the longest name
	for {
		text, err := p.literal()
		if err != nil {
			return it, err
		}
		it.text = append(it.text, text)
		length += len(text)
		if p.done() || isSeparator(p.text[p.pos]) {
			break
		}
		group, err := p.group()
		if err != nil {
			return it, err
		}
		it.groups = append(it.groups, group)
		widest := 0
		for _, r := range group {
			widest = max(widest, len(r.number(r.last)))
		}
		length += widest
	}
	if length > maxNameLen {
		return it, p.fail(start, "name of %d bytes, at most %d are allowed", length, maxNameLen)
	}
	return it, nil
}

// literal reads up to a separator or an opening bracket.
func (p *hostParser) literal() (string, error) {
	start := p.pos
	for ; !p.done(); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '[' || isSeparator(c):
			return p.text[start:p.pos], nil
		case c == ']':
			return "", p.fail(p.pos, "] without [ before it")
		case c < 0x20 || c == 0x7f:
			return "", p.fail(p.pos, "control character %#02x", c)
		}
	}
	return p.text[start:p.pos], nil
}

// group reads [ranges] with the position at the opening bracket.
func (p *hostParser) group() ([]hostRange, error) {
	open := p.pos
	end := strings.IndexAny(p.text[open+1:], "[]")
	if end < 0 {
		return nil, p.fail(open, "[ without ] after it")
	}
	end += open + 1
	if p.text[end] == '[' {
		return nil, p.fail(end, "[ inside brackets")
	}
	var group []hostRange
	p.pos = open + 1
	for {
		r, err := p.numberRange()
		if err != nil {
			return nil, err
		}
		group = append(group, r)
		sep := p.text[p.pos]
		if sep != ',' && sep != ']' {
			return nil, p.fail(p.pos, "%q where a digit, comma, minus or ] belongs", sep)
		}
		p.pos++
		if sep == ']' {
			return group, nil
		}
	}
}

// numberRange reads N or N-M. A bracket that closes is known to follow.
func (p *hostParser) numberRange() (hostRange, error) {
	start := p.pos
	first, width, err := p.number()
	if err != nil {
		return hostRange{}, err
	}
	r := hostRange{first: first, last: first, width: width}
	if p.text[p.pos] != '-' {
		return r, nil
	}
	p.pos++
	if r.last, _, err = p.number(); err != nil {
		return r, err
	}
	switch {
	case r.last < r.first:
		return r, p.fail(start, "range %s runs backwards", p.text[start:p.pos])
	case r.last-r.first >= maxRangeSize:
		return r, p.fail(start, "range %s has more than %d names", p.text[start:p.pos], maxRangeSize)
	}
	return r, nil
}

func (p *hostParser) number() (value uint64, width int, err error) {
	start := p.pos
	for '0' <= p.text[p.pos] && p.text[p.pos] <= '9' {
		p.pos++
	}
	digits := p.text[start:p.pos]
	if digits == "" {
		return 0, 0, p.fail(start, "%q where a number belongs", p.text[start])
	}
	value, err = strconv.ParseUint(digits, 10, 64)
	if err != nil {
		// Slurm takes the largest uint64 instead, which is a node that nobody named.
		return 0, 0, p.fail(start, "number of %d digits is too large", len(digits))
	}
	if len(digits) > maxNameLen {
		return 0, 0, p.fail(start, "number of %d digits, in a name at most %d are allowed", len(digits), maxNameLen)
	}
	return value, len(digits), nil
}
