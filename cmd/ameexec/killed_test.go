package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const (
	losingRanks = 6
	losingItems = 2000
)

// mortals draws which ranks kill themselves, and at the how manieth item.
func mortals(seed uint64) map[int]int {
	random := rand.New(rand.NewPCG(seed, 0))
	dies := map[int]int{}
	for range 1 + random.IntN(3) {
		dies[1+random.IntN(losingRanks-1)] = 1 + random.IntN(60)
	}
	return dies
}

// sums is some work, of about 100 us, with a result that can be checked.
func sums(item int) (sum [sha256.Size]byte) {
	for range 500 {
		sum = sha256.Sum256(append(sum[:], byte(item), byte(item>>8)))
	}
	return sum
}

// mapAndDie is a map in the middle of which ranks die. Rank 0 says what it got.
func mapAndDie(seed uint64) {
	dies := mortals(seed)
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		begun := 0
		work := func(_ context.Context, item int) ([sha256.Size]byte, error) {
			if begun++; begun == dies[world.Rank()] {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return sums(item), nil
		}
		items := make([]int, losingItems)
		for i := range items {
			items[i] = i
		}
		got, failed := map[int]bool{}, 0
		for r, err := range dlp.MapUnordered(ctx, world, items, work, dlp.OnError(dlp.Continue)) {
			switch {
			case err != nil:
				return err
			case got[r.Index]:
				return fmt.Errorf("item %d twice", r.Index)
			case r.Err != nil && dies[r.Rank] > 0:
				failed++ // was with two ranks that have died
			case r.Err != nil || r.Value != sums(r.Index):
				return fmt.Errorf("item %d: %w", r.Index, r.Err)
			}
			got[r.Index] = true
		}
		if world.IsRoot() {
			fmt.Println(len(got), failed, world.Lost())
		}
		return nil
	})
}

// Ranks that are killed in the middle of a map cost nothing but themselves: each
// result is there once and right, and all other ranks end with status 0.
func TestMapSurvivesKilledRanks(t *testing.T) {
	jobs, killed, poison := 0, 0, 0
	for seed := range uint64(8) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			lost, failed := mapWithDeaths(t, seed)
			jobs, killed, poison = jobs+1, killed+lost, poison+failed
		})
	}
	// A rank that hardly gets to run may not come to the item that kills it.
	assert.GreaterOrEqual(t, killed, jobs/2, "ranks that were killed in a map")
	assert.Less(t, poison, 3, "items that two of them had")
}

// mapWithDeaths returns how many ranks were killed, and how many items had two
// of them.
func mapWithDeaths(t *testing.T, seed uint64) (killed, failed int) {
	r := run(t, with(ranks("map", strconv.FormatUint(seed, 10)), "--continue", "-n", strconv.Itoa(losingRanks))...)
	var got int
	_, err := fmt.Sscan(r.stdout, &got, &failed)
	require.NoError(t, err, "%s%s", r.stdout, r.stderr)
	assert.Equal(t, losingItems, got)
	var lost []string
	for line := range strings.Lines(r.stderr) {
		dead := regexp.MustCompile(`^ameexec: rank (\d) .*: killed by signal 9 \(SIGKILL\)\n$`).FindStringSubmatch(line)
		if assert.NotNil(t, dead, line) {
			lost = append(lost, dead[1])
		}
	}
	assert.ElementsMatch(t, lost, strings.Fields(strings.Trim(strings.SplitN(r.stdout, " ", 3)[2], "[]\n")))
	if len(lost) > 0 {
		assert.Equal(t, 137, r.status)
	}
	return len(lost), failed
}
