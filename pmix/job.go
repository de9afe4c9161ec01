package pmix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// job is what a server tells about the job and this rank's place in it.
type job struct {
	size                 int
	localRank, localSize int // -1 if not told
}

// jobKeys are asked for, all at once. Servers before 4.1 answer each with
// all they know of the job.
var jobKeys = []string{"pmix.job.size", "pmix.lpeers"}

// learnJob asks about the job. Only its size must be known.
func (c *Client) learnJob(ctx context.Context) error {
	var known []kval
	var questions []asked
	for _, key := range jobKeys {
		a, err := c.ask(ctx, c.env.codec.getRequest(c.env.namespace, wildcard, key, true))
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		questions = append(questions, a)
	}
	for i, a := range questions {
		payload, err := c.wait(ctx, a)
		if err != nil {
			return fmt.Errorf("%s: %w", jobKeys[i], err)
		}
		found, err := c.env.codec.parseGet(payload, wildcard)
		known = append(known, found...)
		var refusal Status
		if err != nil && !errors.As(err, &refusal) && !errors.Is(err, errUnknownType) {
			return fmt.Errorf("%s: %w", jobKeys[i], c.garbled(err))
		}
	}
	var err error
	c.job, err = readJob(known, c.env.rank, c.env.host)
	return err
}

// readJob finds the place of rank on node host among all that was told.
func readJob(known []kval, rank uint32, host string) (job, error) {
	j := job{localRank: -1, localSize: -1}
	size, ok := find(known, "pmix.job.size")
	if !ok || size.typ != typeUint32 {
		return j, fmt.Errorf("pmix.job.size: %w", StatusNotFound)
	}
	if uint64(rank) >= size.num || size.num > 1<<31-1 {
		return j, fmt.Errorf("rank %d in a job of size %d", rank, size.num)
	}
	j.size = int(size.num)
	about := append(slices.Clone(known), nodeInfo(known, host)...)
	if peers, ok := find(about, "pmix.lpeers"); ok {
		j.localRank, j.localSize = place(peers.text, rank)
	}
	return j, nil
}

// nodeInfo returns what the job's information says about the node host.
func nodeInfo(known []kval, host string) []kval {
	for _, k := range known {
		if k.key != "pmix.node.arr" {
			continue
		}
		if name, ok := find(k.list, "pmix.hname"); ok && name.text == host {
			return k.list
		}
	}
	return nil
}

// place is the position of rank among the ranks of its node, "0,2,1". They
// come in any order (PMIx 5.0.7), so that it is made one here.
func place(peers string, rank uint32) (localRank, localSize int) {
	var ranks []uint64
	for field := range strings.SplitSeq(peers, ",") {
		r, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return -1, -1
		}
		ranks = append(ranks, r)
	}
	slices.Sort(ranks)
	at, found := slices.BinarySearch(ranks, uint64(rank))
	if !found {
		return -1, -1
	}
	return at, len(ranks)
}

func find(known []kval, key string) (value, bool) {
	for _, k := range known {
		if k.key == key {
			return k.value, true
		}
	}
	return value{}, false
}

// garbled wraps the error of an answer that makes no sense.
func (c *Client) garbled(err error) error {
	return fmt.Errorf("answer of the server (PMIx %s) is not in format %s: %w", c.env.version, c.env.module, err)
}

// Rank is this process, 0 to Size-1.
func (c *Client) Rank() int { return int(c.env.rank) }

// Size is the number of ranks of the job.
func (c *Client) Size() int { return c.job.size }

// LocalRank is the place of this rank among those of its node, in the order
// of ranks, from 0. It is -1 if the server does not tell.
func (c *Client) LocalRank() int { return c.job.localRank }

// LocalSize is the number of ranks of the job on this node, or -1 if the
// server does not tell.
func (c *Client) LocalSize() int { return c.job.localSize }

// Namespace names the job to the launcher; it is not secret. No other job of
// the same launcher has it, jobs of other launchers may.
func (c *Client) Namespace() string { return c.env.namespace }

// Host is the name of this node as the launcher knows it, or "" if it does
// not tell.
func (c *Client) Host() string { return c.env.host }
