package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/journal"
	"github.com/dlp-mpi/dlp-go/internal/progress"
)

// journalState is what a journal says of a map. Its JSON is what dlp report
// --json prints.
type journalState struct {
	Starts   int           `json:"starts"`
	Done     int           `json:"done"`
	Failed   int           `json:"failed"`
	Work     time.Duration `json:"work_ns"`
	Elapsed  time.Duration `json:"elapsed_ns"` // of all starts, from the first to the last record
	Torn     int64         `json:"torn_bytes"`
	Slowest  []journalItem `json:"slowest"`
	Failures []journalItem `json:"failures"`
	Ranks    []journalRank `json:"ranks"` // of all starts

	begins []journal.Start
	all    []journalItem // the slowest one first
}

// journalItem is an item in a journal.
type journalItem struct {
	Index   int           `json:"index"`
	Item    string        `json:"item"`
	Rank    int           `json:"rank"`
	Host    string        `json:"host"`
	Attempt int           `json:"attempt"`
	Status  int           `json:"status"`
	Took    time.Duration `json:"took_ns"`
	How     string        `json:"how"`

	failed bool
	began  time.Time // by the clock of its node, if that is known
	ended  time.Time
	start  int
}

// journalRank is what one rank has done.
type journalRank struct {
	Rank  int           `json:"rank"`
	Host  string        `json:"host"`
	Items int           `json:"items"`
	Work  time.Duration `json:"work_ns"`
}

const namedItems = 10

// readJournal reads all of a journal.
func readJournal(path string, file *os.File) (*journalState, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	r, err := journal.NewReader(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	s := &journalState{Failures: []journalItem{}, Ranks: []journalRank{}}
	items := make(map[journal.ID]journalItem)
	for {
		entry, err := r.Next()
		var torn *journal.TornError
		switch {
		case errors.Is(err, io.EOF):
			s.sum(items)
			return s, nil
		case errors.As(err, &torn):
			s.Torn = torn.Size - torn.Offset
			s.sum(items)
			return s, nil
		case err != nil:
			return nil, fmt.Errorf("journal %s: %w", path, err)
		case entry.Start != nil:
			s.begins = append(s.begins, *entry.Start)
		case entry.Record != nil:
			items[entry.Record.ID] = itemOfRecord(entry.Record, len(s.begins))
		}
	}
}

// itemOfRecord reads a record. One that another program has written has numbers
// and no text.
func itemOfRecord(record *journal.Record, start int) journalItem {
	item := journalItem{
		Index: record.Index, Rank: record.Rank, Attempt: record.Attempt, Took: record.Took,
		failed: record.Failed, began: record.Ended.Add(-record.Took), ended: record.Ended, start: start,
	}
	if record.Failed {
		item.How, item.Status = string(record.Body), statusFailed
		return item
	}
	if r, err := decodeReport(record.Body); err == nil {
		item.Item, item.Host, item.Attempt, item.Status, item.Took, item.failed = r.Item, r.Host, r.Attempt, r.Status, r.Took, r.failed()
		// A result may have waited before it was recorded; what begins later than it
		// can have was begun by another clock.
		if began := time.Unix(0, r.Started); r.Started != 0 && began.Before(item.began) {
			item.began = began
		}
		if item.failed {
			item.How = r.how()
		}
	}
	return item
}

// sum fills in what all items come to.
func (s *journalState) sum(items map[journal.ID]journalItem) {
	s.Starts = len(s.begins)
	last := make([]time.Time, s.Starts) // when each start has finished an item last
	for i := range last {
		last[i] = s.begins[i].Time
	}
	ranks := make(map[int]*journalRank)
	s.all = make([]journalItem, 0, len(items))
	for _, item := range items {
		s.all = append(s.all, item)
		if item.start > 0 && item.ended.After(last[item.start-1]) {
			last[item.start-1] = item.ended
		}
		s.Work += item.Took
		if ranks[item.Rank] == nil {
			ranks[item.Rank] = &journalRank{Rank: item.Rank, Host: item.Host}
		}
		ranks[item.Rank].Items++
		ranks[item.Rank].Work += item.Took
		if item.failed {
			s.Failed++
		} else {
			s.Done++
		}
	}
	for i, begin := range s.begins {
		s.Elapsed += max(0, last[i].Sub(begin.Time)) // a clock may have gone back
	}
	for _, rank := range ranks {
		s.Ranks = append(s.Ranks, *rank)
	}
	slices.SortFunc(s.Ranks, func(a, b journalRank) int { return a.Rank - b.Rank })
	slices.SortFunc(s.all, func(a, b journalItem) int { return cmp.Or(cmp.Compare(b.Took, a.Took), a.Index-b.Index) })
	s.Slowest = s.all[:min(namedItems, len(s.all))]
	for _, item := range s.all {
		if item.failed {
			s.Failures = append(s.Failures, item)
		}
	}
	slices.SortFunc(s.Failures, func(a, b journalItem) int { return a.Index - b.Index })
}

// print writes what people read.
func (s *journalState) print(to io.Writer) error {
	var b []byte
	add := func(format string, args ...any) { b = fmt.Appendf(b, format+"\n", args...) }
	add("%d done, %d failed, in %s; %s of work in %s", s.Done, s.Failed, counted(s.Starts, "start"), progress.Round(s.Work), progress.Round(s.Elapsed))
	if s.Elapsed > 0 {
		add("on average %.1f items ran at once", s.Work.Seconds()/s.Elapsed.Seconds())
	}
	if s.Torn > 0 {
		add("the last %d bytes are no record: whoever wrote them was interrupted", s.Torn)
	}
	add("another start skips %s, and with --retry-failed tries %s again", counted(s.Done, "item"), counted(s.Failed, "item"))
	for i, item := range s.Failures {
		if i == shownFailures {
			add("and %d more have failed", len(s.Failures)-i)
			break
		}
		add("failed: item %d (%s) on rank %d (%s): %s", item.Index+1, short(item.Item), item.Rank, item.Host, item.How)
	}
	for _, item := range s.Slowest {
		add("slow: item %d (%s) took %s on rank %d (%s)", item.Index+1, short(item.Item), progress.Round(item.Took), item.Rank, item.Host)
	}
	for _, rank := range s.Ranks {
		add("rank %d (%s): %s, %s of work", rank.Rank, rank.Host, counted(rank.Items, "item"), progress.Round(rank.Work))
	}
	_, err := to.Write(b)
	return err
}
