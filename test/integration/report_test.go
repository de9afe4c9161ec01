//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// hello is the report of dlp-hello --json that rank 0 prints.
type hello struct {
	Method   string   `json:"method"`
	Size     int      `json:"size"`
	Job      string   `json:"job"`
	Warnings []string `json:"warnings"`
	Ranks    []struct {
		Rank   int    `json:"rank"`
		Host   string `json:"host"`
		PID    int    `json:"pid"`
		Method string `json:"method"`
	} `json:"ranks"`
}

// corpus is the report of corpus --json that rank 0 prints. Only what depends on
// the files alone is compared with the serial run.
type corpus struct {
	Files       int `json:"files"`
	Bytes       int `json:"bytes"`
	Tokens      int `json:"tokens"`
	Identifiers []struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
	} `json:"identifiers"`
	ItemsPerRank []int `json:"items_per_rank"`
}

// reports decodes all JSON objects in out. Anything else there is an error:
// standard output belongs to the program.
func reports[T any](out string) ([]T, error) {
	var all []T
	dec := json.NewDecoder(strings.NewReader(out))
	for {
		var one T
		err := dec.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("standard output is not JSON alone: %w", err)
		}
		all = append(all, one)
	}
}

// placement says where the ranks of a launch must be.
type placement struct {
	hosts []string // by rank
	// The launcher may give the ranks to the hosts in another order, only
	// their number on each host is known.
	anyOrder bool
}

// check compares a report with where the ranks must be and the method that all of
// them must have used.
func (h hello) check(want placement, method string) error {
	if h.Size != len(want.hosts) {
		return fmt.Errorf("size %d, want %d", h.Size, len(want.hosts))
	}
	if h.Method != method {
		return fmt.Errorf("method %q, want %q", h.Method, method)
	}
	hosts := make(map[int]string)
	pids := make(map[string]bool)
	for _, rank := range h.Ranks {
		if _, dup := hosts[rank.Rank]; dup {
			return fmt.Errorf("rank %d is listed twice", rank.Rank)
		}
		hosts[rank.Rank] = rank.Host
		pid := fmt.Sprintf("%d on %s", rank.PID, rank.Host)
		if pids[pid] {
			return fmt.Errorf("process %s is two ranks", pid)
		}
		pids[pid] = true
		if rank.Method != h.Method {
			return fmt.Errorf("rank %d used %q, rank 0 %q", rank.Rank, rank.Method, h.Method)
		}
	}
	var got []string
	for rank := range want.hosts {
		host, ok := hosts[rank]
		if !ok {
			return fmt.Errorf("rank %d is missing", rank)
		}
		got = append(got, host)
	}
	if len(hosts) != len(got) {
		return fmt.Errorf("%d ranks reported, want %d", len(hosts), len(got))
	}
	wantHosts := want.hosts
	if want.anyOrder {
		got, wantHosts = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(wantHosts))
	}
	if !slices.Equal(got, wantHosts) {
		return fmt.Errorf("ranks on %v, want %v", got, wantHosts)
	}
	return nil
}

// check compares a parallel run over size ranks with the serial one.
func (c corpus) check(serial corpus, size int) error {
	switch {
	case c.Files != serial.Files || c.Bytes != serial.Bytes || c.Tokens != serial.Tokens:
		return fmt.Errorf("%d files, %d bytes, %d tokens; serial run: %d, %d, %d",
			c.Files, c.Bytes, c.Tokens, serial.Files, serial.Bytes, serial.Tokens)
	case !slices.Equal(c.Identifiers, serial.Identifiers):
		return fmt.Errorf("identifiers %v; serial run: %v", c.Identifiers, serial.Identifiers)
	case len(c.ItemsPerRank) != size:
		return fmt.Errorf("items of %d ranks, want %d", len(c.ItemsPerRank), size)
	}
	items := 0
	for _, n := range c.ItemsPerRank {
		items += n
	}
	if items != c.Files {
		return fmt.Errorf("ranks did %d items of %d", items, c.Files)
	}
	return nil
}

// table is a set of results by row, column group (release) and column.
type table struct {
	rows    []string
	columns []string

	mu    sync.Mutex
	about map[string]string            // by release
	cells map[string]map[string]string // by release, then row + column
}

func newTable() *table {
	return &table{about: make(map[string]string), cells: make(map[string]map[string]string)}
}

// describe says what a release has. It may be called by parallel tests.
func (t *table) describe(release, about string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.about[release] = about
}

// set may be called by parallel tests.
func (t *table) set(release, row, column, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cells[release] == nil {
		t.cells[release] = make(map[string]string)
	}
	t.cells[release][row+"\x00"+column] = value
}

// complete says whether every cell was set, for each of so many releases.
func (t *table) complete(releases int) bool {
	for _, cells := range t.cells {
		if len(cells) != len(t.rows)*len(t.columns) {
			return false
		}
	}
	return len(t.cells) == releases
}

// markdown writes what the releases have, and the table with its columns aligned,
// one group of columns for each release.
func (t *table) markdown() string {
	releases := slices.Sorted(maps.Keys(t.cells))
	lines := [][]string{{"launch"}, {"---"}}
	for _, release := range releases {
		for _, column := range t.columns {
			lines[0] = append(lines[0], release+": "+column)
			lines[1] = append(lines[1], "---")
		}
	}
	for _, row := range t.rows {
		line := []string{row}
		for _, release := range releases {
			for _, column := range t.columns {
				line = append(line, t.cells[release][row+"\x00"+column])
			}
		}
		lines = append(lines, line)
	}
	var b strings.Builder
	for _, release := range releases {
		fmt.Fprintf(&b, "%s: %s.  \n", release, t.about[release])
	}
	b.WriteString("\n")
	for _, line := range lines {
		b.WriteString("|")
		for i, cell := range line {
			width := 0
			for _, other := range lines {
				width = max(width, len([]rune(other[i])))
			}
			fmt.Fprintf(&b, " %-*s |", width, cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}
