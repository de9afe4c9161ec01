package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// defaultBlock is that of GNU parallel.
const defaultBlock = 1 << 20

// blockOf is how many bytes of lines make an item, 0 without --pipe. Of -n lines
// they may be more.
func blockOf(c *cli.Context) int {
	switch block := int(*c.Generic("block").(*size)); {
	case !c.Bool("pipe"):
		return 0
	case block > 0:
		return block
	case c.Int("n") > 1:
		return maxBlock
	}
	return defaultBlock
}

// maxBlock is what a block comes to at most, unless a line is longer: blocks are
// in memory, and travel as a whole.
const maxBlock = 256 << 20

// size is an option in bytes.
type size int

func (s *size) Set(text string) error {
	digits := strings.TrimRight(text, "kKmMgG")
	n, err := strconv.ParseInt(digits, 10, 32)
	unit := map[string]int64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[strings.ToLower(text[len(digits):])]
	if err != nil || unit == 0 || n < 1 || n*unit > maxBlock {
		return errors.New("want a size such as 500k or 1M, up to 256M")
	}
	*s = size(n * unit)
	return nil
}

func (s *size) String() string { return "" }
