package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// Compress writes names as a hostlist, the way Slurm prints lists: neighbours
// that differ only in the number at their end share one bracket, and runs of
// numbers become ranges. Order and duplicates are kept, so Expand gives the
// same names back. The result is understood by every version of Slurm.
//
// A name that no hostlist can hold, because it is empty, too long or contains
// a bracket, comma, blank or control character, is an error.
func Compress(names []string) (string, error) {
	var c compressor
	for i, name := range names {
		if err := checkName(name); err != nil {
			return "", fmt.Errorf("slurm: compress: name %d of %d: %w", i+1, len(names), err)
		}
		c.add(name)
	}
	c.flush()
	return c.out.String(), nil
}

func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("empty")
	}
	if len(name) > maxNameLen {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(name), maxNameLen)
	}
	for i := range len(name) {
		if c := name[i]; c == '[' || c == ']' || isSeparator(c) || c < 0x20 || c == 0x7f {
			return fmt.Errorf("%q holds %q, which no hostlist can express", name, c)
		}
	}
	return nil
}

// maxDigits is how many digits a number may have, without zeros before it, so
// that it fits a uint64 and can be counted on from.
const maxDigits = 18

// compressor holds the names not yet written: they share a prefix.
type compressor struct {
	out    strings.Builder
	prefix string
	ranges []hostRange
}

func (c *compressor) add(name string) {
	prefix, digits := splitNumber(name)
	if digits == "" {
		c.flush()
		c.write(name)
		return
	}
	if prefix != c.prefix {
		c.flush()
		c.prefix = prefix
	}
	number, _ := strconv.ParseUint(digits, 10, 64) // splitNumber keeps it short enough
	if n := len(c.ranges); n > 0 {
		last := &c.ranges[n-1]
		if number == last.last+1 && last.number(number) == digits && last.size() < maxRangeSize {
			last.last = number
			return
		}
	}
	c.ranges = append(c.ranges, hostRange{first: number, last: number, width: len(digits)})
}

// splitNumber cuts the number at the end of a name off, or as much of it as
// fits a uint64 with room to count on. Zeros before it may be as many as Slurm
// prints.
func splitNumber(name string) (prefix, digits string) {
	number := len(strings.TrimRight(name, "0123456789"))
	significant := number + len(name[number:]) - len(strings.TrimLeft(name[number:], "0"))
	if significant < len(name)-maxDigits {
		number = len(name) - maxDigits
	}
	return name[:number], name[number:]
}

func (c *compressor) flush() {
	switch {
	case len(c.ranges) == 0:
	case len(c.ranges) == 1 && c.ranges[0].size() == 1:
		c.write(c.prefix + c.ranges[0].String())
	default:
		parts := make([]string, len(c.ranges))
		for i, r := range c.ranges {
			parts[i] = r.String()
		}
		c.write(c.prefix + "[" + strings.Join(parts, ",") + "]")
	}
	c.prefix, c.ranges = "", nil
}

func (c *compressor) write(item string) {
	if c.out.Len() > 0 {
		c.out.WriteByte(',')
	}
	c.out.WriteString(item)
}

func (r hostRange) String() string {
	if r.first == r.last {
		return r.number(r.first)
	}
	return r.number(r.first) + "-" + r.number(r.last)
}
