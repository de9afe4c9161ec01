package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// shown is how many identifiers are printed.
const shown = 20

// tally is the sum over the files so far.
type tally struct {
	files, bytes, tokens int
	identifiers          map[string]int
	failed               []failure
	itemsPerRank         []int
}

func newTally(ranks int) *tally {
	return &tally{identifiers: map[string]int{}, itemsPerRank: make([]int, ranks)}
}

// add merges what has become of one file on a rank.
func (t *tally) add(rank int, path string, c counts, err error) {
	t.itemsPerRank[rank]++
	if err != nil {
		var item *dlp.ItemError // says on which rank, too
		if errors.As(err, &item) {
			err = item.Err
		}
		t.failed = append(t.failed, failure{path, err.Error()})
		return
	}
	t.files++
	t.bytes += c.Bytes
	t.tokens += c.Tokens
	for name, n := range c.Identifiers {
		t.identifiers[name] += n
	}
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
	Seconds      float64      `json:"seconds"` // to find, count and merge
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

func (t *tally) summary(dir string, took time.Duration) *summary {
	s := &summary{
		Dir: dir, Files: t.files, Bytes: t.bytes, Tokens: t.tokens, Distinct: len(t.identifiers),
		Identifiers: make([]identifier, 0, len(t.identifiers)), Failed: append([]failure{}, t.failed...),
		ItemsPerRank: t.itemsPerRank, Seconds: took.Seconds(),
	}
	for name, n := range t.identifiers {
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
	return out.Flush()
}
