package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// death is a rank that was killed, and the item that it was in; -1: in none.
type death struct{ rank, item int }

// outcome is what has become of a job.
type outcome struct {
	dead   []death        // in the order in which they were killed
	failed map[int][2]int // by item: the ranks that were lost with it
	cut    int            // how many of the dead were cut off
	took   time.Duration
}

// hits is how many kills have hit an item that was being worked on.
func (o *outcome) hits() (n int) {
	for _, d := range o.dead {
		if d.item >= 0 {
			n++
		}
	}
	return n
}

// died says whether a rank was killed.
func (o *outcome) died(rank int) bool {
	return slices.ContainsFunc(o.dead, func(d death) bool { return d.rank == rank })
}

// twoLost is how rank 0 reports an item that two ranks were lost with.
var twoLost = regexp.MustCompile(`^failed (\d+): .*item \d+ on rank (\d+) .*: rank (\d+) was lost while it held this item, and now this one`)

// judge compares what rank 0 has said, and how ameexec has ended, with what the
// table knows. Rank 0 itself has compared results.
func (o *outcome) judge(t *table, stdout string, status int) error {
	if (status != 0) != (len(o.dead) > 0) {
		return fmt.Errorf("exit status %d after %d deaths", status, len(o.dead))
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	o.failed = map[int][2]int{}
	for _, line := range lines[:len(lines)-1] {
		found := twoLost.FindStringSubmatch(line)
		if found == nil {
			return fmt.Errorf("an item has failed, not by the loss of two ranks: %s", line)
		}
		item, _ := strconv.Atoi(found[1])
		second, _ := strconv.Atoi(found[2])
		first, _ := strconv.Atoi(found[3])
		o.failed[item] = [2]int{first, second}
	}
	last, want := lines[len(lines)-1], fmt.Sprintf("delivered %d, failed %d, lost [", items, len(o.failed))
	lost, ok := strings.CutPrefix(last, want)
	if !ok {
		return fmt.Errorf("rank 0 says %q in place of %q", last, want)
	}
	if err := o.lost(strings.Fields(strings.TrimSuffix(lost, "]"))); err != nil {
		return err
	}
	return o.compare(t)
}

// lost checks which ranks rank 0 has seen lost. It may have ended before it knew
// of one that died in no item.
func (o *outcome) lost(ranks []string) error {
	for _, text := range ranks {
		if rank, err := strconv.Atoi(text); err != nil || !o.died(rank) {
			return fmt.Errorf("rank %s is lost, which nobody has killed", text)
		}
	}
	for _, d := range o.dead {
		if d.item >= 0 && !slices.Contains(ranks, strconv.Itoa(d.rank)) {
			return fmt.Errorf("rank %d was killed in an item, and is not lost", d.rank)
		}
	}
	return nil
}

// compare checks that just those items have failed that two dead ranks held.
func (o *outcome) compare(t *table) error {
	for item, lost := range o.failed {
		for _, rank := range lost {
			if !o.died(rank) {
				return fmt.Errorf("item %d has failed with rank %d, which nobody has killed", item, rank)
			}
		}
		for rank := range ranks {
			if !o.died(rank) && t.Ended[item].Load()&(1<<rank) != 0 {
				return fmt.Errorf("item %d has failed, and rank %d, which lives, has done it", item, rank)
			}
		}
	}
	for i, d := range o.dead {
		for _, before := range o.dead[:i] {
			// Whoever has begun an item before another rank does has held it until
			// its end: else that one would not have got it.
			if d.item < 0 || t.Began[d.item].Load()&(1<<before.rank) == 0 {
				continue
			}
			if _, failed := o.failed[d.item]; !failed {
				return fmt.Errorf("item %d was held by ranks %d and %d, both killed, and has not failed", d.item, before.rank, d.rank)
			}
		}
	}
	for item := range items {
		if _, failed := o.failed[item]; !failed && t.Ended[item].Load() == 0 {
			return fmt.Errorf("nobody has done item %d, and it has not failed", item)
		}
	}
	return nil
}
