package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// shown is how many identifiers are printed.
const shown = 20

// tally is the sum over some files. It travels between ranks.
type tally struct {
	Files, Bytes, Tokens int
	Identifiers          map[string]int
	Failed               []failure
	ItemsPerRank         []int
}

func newTally(ranks int) *tally {
	return &tally{Identifiers: map[string]int{}, ItemsPerRank: make([]int, ranks)}
}

// merge adds b to a.
func merge(a, b *tally) *tally {
	a.Files += b.Files
	a.Bytes += b.Bytes
	a.Tokens += b.Tokens
	for name, n := range b.Identifiers {
		a.Identifiers[name] += n
	}
	a.Failed = append(a.Failed, b.Failed...)
	for rank, n := range b.ItemsPerRank {
		a.ItemsPerRank[rank] += n
	}
	return a
}

// summary is what is printed; with --json, these are the fields.
type summary struct {
	Dir          string       `json:"dir"`
	Files        int          `json:"files"`       // that were counted
	Bytes        int          `json:"bytes"`       // of those
	Tokens       int          `json:"tokens"`      // as go/scanner sees them, without comments
	Distinct     int          `json:"distinct"`    // number of different identifiers
	Identifiers  []identifier `json:"identifiers"` // the 20 most frequent, ties by name
	Failed       []failure    `json:"failed"`      // files and directories, by path
	ItemsPerRank []int        `json:"items_per_rank"`
	Seconds      float64      `json:"seconds"`        // to find, count and merge
	Serial       float64      `json:"serial_seconds"` // to count on rank 0 alone, with --compare; then Seconds is without finding
}

type identifier struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// failure is a file or a directory that could not be read.
type failure struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

func (t *tally) summary(dir string, took, serial time.Duration) *summary {
	s := &summary{
		Dir: dir, Files: t.Files, Bytes: t.Bytes, Tokens: t.Tokens, Distinct: len(t.Identifiers),
		Identifiers: make([]identifier, 0, len(t.Identifiers)), Failed: append([]failure{}, t.Failed...),
		ItemsPerRank: t.ItemsPerRank, Seconds: took.Seconds(), Serial: serial.Seconds(),
	}
	for name, n := range t.Identifiers {
		s.Identifiers = append(s.Identifiers, identifier{name, n})
	}
	slices.SortFunc(s.Identifiers, func(a, b identifier) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	s.Identifiers = s.Identifiers[:min(shown, len(s.Identifiers))]
	slices.SortFunc(s.Failed, func(a, b failure) int { return cmp.Compare(a.Path, b.Path) })
	return s
}

// reportFailed names what could not be read.
func (s *summary) reportFailed(stderr io.Writer) {
	for _, f := range s.Failed {
		fmt.Fprintf(stderr, "corpus: %s: %s\n", f.Path, f.Error)
	}
	if n := len(s.Failed); n > 0 {
		fmt.Fprintf(stderr, "corpus: not everything below %s was counted: %d files or directories could not be read\n", s.Dir, n)
	}
}

func (s *summary) writeJSON(stdout io.Writer) error {
	return json.NewEncoder(stdout).Encode(s)
}

func (s *summary) writeText(stdout io.Writer) error {
	out := bufio.NewWriter(stdout)
	fmt.Fprintf(out, "%s: %d files, %d bytes, %d tokens, %d different identifiers\n\n", s.Dir, s.Files, s.Bytes, s.Tokens, s.Distinct)
	for _, id := range s.Identifiers {
		fmt.Fprintf(out, "%9d  %s\n", id.Count, id.Name)
	}
	fmt.Fprintf(out, "\nitems per rank: %d\nseconds: %.3f\n", s.ItemsPerRank, s.Seconds)
	if s.Serial > 0 {
		fmt.Fprintf(out, "seconds on one rank: %.3f, %.2f times as long\n", s.Serial, s.Serial/s.Seconds)
	}
	return out.Flush()
}
