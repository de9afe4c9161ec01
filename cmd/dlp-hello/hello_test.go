package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// masked is output without what differs from run to run.
func masked(output string) string {
	for _, m := range [][2]string{
		{`on \S+ \(pid \d+\)`, "on HOST (pid P)"},
		{`(?m)^(Host: +).*`, "${1}HOST"},
		{`(?m)^(Nodes: +).*`, "${1}HOST"},
		{`(?m)^(Version: +).*`, "${1}VERSION"},
		{`\d+ at (127\.0\.0\.1|\[::1\]):\d+.*`, "PORT at ADDRESSES"},
	} {
		output = regexp.MustCompile(m[0]).ReplaceAllString(output, m[1])
	}
	return output
}

func greeting(rank, size int) string {
	return fmt.Sprintf("Hello from rank %d of %d on HOST (pid P)!\n", rank, size)
}

const headOfThree = `Backend:  ame
Version:  VERSION
Method:   pmi
Host:     HOST
Port:     PORT at ADDRESSES
Rank:     0
Size:     3
Nodes:    HOST
Available methods:
`

func TestEachRankGreets(t *testing.T) {
	for rank, p := range job(t, 3) {
		got := masked(p.stdout.String())
		if rank == 0 {
			assert.True(t, strings.HasPrefix(got, headOfThree), got)
			assert.True(t, strings.HasSuffix(got, "\n"+greeting(0, 3)), got)
			assert.Equal(t, 1, strings.Count(got, "Hello"))
			continue
		}
		assert.Equal(t, greeting(rank, 3), got)
	}
}

// Rank 0 prints all, so that no launcher can change the order.
func TestOrdered(t *testing.T) {
	for rank, p := range job(t, 12, "--ordered") {
		if rank > 0 {
			assert.Empty(t, p.stdout.String())
			continue
		}
		want := ""
		for peer := range 12 {
			want += greeting(peer, 12)
		}
		head, got, _ := strings.Cut(masked(p.stdout.String()), "Hello")
		assert.Contains(t, head, "Size:     12\n")
		assert.Equal(t, want, "Hello"+got)
	}
}

// The methods that a build knows are not this program's business; that each
// stands under its heading with its reason is.
func TestMethodsAreListed(t *testing.T) {
	p, status := run(t, nil)
	assert.Zero(t, status)
	got := masked(p.stdout.String())
	assert.Contains(t, got, "Port:     none: a single rank does not listen\nRank:     0\nSize:     1\nNodes:    HOST\n")
	_, got, _ = strings.Cut(got, "Available methods:\n")
	available, not, _ := strings.Cut(got, "Not available:\n")
	assert.Regexp(t, `(?m)^  single +chosen: the first that is available$`, available)
	assert.Regexp(t, `(?m)^  ame +neither AME_RANK nor AME_SIZE is set$`, not)
	assert.Regexp(t, `(?m)^  pmi +not started by`, not)
}

func TestJSON(t *testing.T) {
	ranks := job(t, 3, "--json")
	assert.Empty(t, ranks[1].stdout.String())
	assert.Empty(t, ranks[2].stdout.String())
	text := ranks[0].stdout.String()
	assert.Equal(t, 1, strings.Count(text, "\n"), "one object on one line")

	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &fields))
	assert.Equal(t, []string{
		"addresses", "backend", "host", "job", "method", "methods", "nodes", "port",
		"rank", "ranks", "size", "start_ms", "version", "warnings",
	}, slices.Sorted(maps.Keys(fields)))
	require.NotEmpty(t, fields["methods"])
	for _, m := range fields["methods"].([]any) {
		assert.Equal(t, []string{"name", "reason", "state"}, slices.Sorted(maps.Keys(m.(map[string]any))))
	}
	assert.Equal(t, []any{}, fields["warnings"])

	host, err := os.Hostname()
	require.NoError(t, err)
	var r report
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	assert.Equal(t, "ame", r.Backend)
	assert.Equal(t, "pmi", r.Method)
	assert.Equal(t, host, r.Host)
	assert.Equal(t, host, r.Nodes, "one node, three ranks")
	assert.Equal(t, 0, r.Rank)
	assert.Equal(t, 3, r.Size)
	assert.NotEmpty(t, r.Version)
	assert.NotEmpty(t, r.Job)
	assert.Positive(t, r.StartMS)
	assert.Positive(t, r.Port)
	require.NotEmpty(t, r.Addresses)
	assert.True(t, strings.HasSuffix(r.Addresses[0], fmt.Sprint(":", r.Port)))
	assert.Contains(t, r.Methods, method{"pmi", "chosen", "the first that is available"})
	assert.Contains(t, r.Methods, method{"single", "available", "not the first that is available"})
	assert.Contains(t, r.Methods, method{"ame", "unavailable", "neither AME_RANK nor AME_SIZE is set"})
	require.Len(t, r.Ranks, 3)
	for rank, p := range ranks {
		assert.Equal(t, member{Rank: rank, Host: host, PID: p.Process.Pid, LocalRank: rank, LocalSize: 3, Method: "pmi"}, r.Ranks[rank])
	}
}

// Alone, the same fields are there, and no list is null.
func TestJSONAlone(t *testing.T) {
	p, status := run(t, []string{"SLURM_NTASKS=2"}, "--json", "--ordered")
	assert.Equal(t, 1, status)
	var r report
	require.NoError(t, json.Unmarshal(p.stdout.Bytes(), &r))
	assert.Contains(t, p.stdout.String(), `"addresses":[],"port":0,"rank":0,"size":1,"nodes":"`)
	require.Len(t, r.Warnings, 1)
	assert.Contains(t, r.Warnings[0], "SLURM_NTASKS=2 but this is rank 0 of 1")
	require.Len(t, r.Ranks, 1)
	assert.Equal(t, p.Process.Pid, r.Ranks[0].PID)

	p, status = run(t, nil, "--json")
	assert.Zero(t, status)
	assert.NotContains(t, p.stdout.String(), "null")
}

// A rank that never answers is named in the error of those who wait for it.
func TestTalkNamesTheRankThatIsLost(t *testing.T) {
	errs := make([]error, 3)
	err := dlp.Run(t.Context(), len(errs), func(ctx context.Context, world *dlp.Comm) error {
		if world.Rank() == 2 {
			return errors.New("disk on fire")
		}
		_, errs[world.Rank()] = talk(ctx, world)
		return nil
	})
	assert.ErrorContains(t, err, "disk on fire")
	assert.ErrorContains(t, errs[0], "rank 2")
	assert.ErrorContains(t, errs[1], "rank 2")
}

func TestNodeList(t *testing.T) {
	info := func(hosts ...string) (info dlp.Info) {
		for _, host := range hosts {
			info.Peers = append(info.Peers, dlp.Peer{Host: host})
		}
		return info
	}
	assert.Equal(t, "c[3,1-2]", nodeList(info("c3", "c1", "c1", "c2")))
	assert.Equal(t, "a b,c1", nodeList(info("a b", "c1", "a b")), "no hostlist can hold a blank")
}
