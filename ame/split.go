package ame

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// newComm is this rank's end of a communicator whose number has been agreed on.
func (j *job) newComm(id commID, g *group, p lossPolicy) *Comm {
	j.matcher.open(id, g, p)
	return j.comm(id, g)
}

func (j *job) comm(id commID, g *group) *Comm {
	c := &Comm{job: j, id: id, group: g}
	c.oneNode = sync.OnceValue(c.onOneNode)
	return c
}

// newID gives out a number that no rank gives out again.
func (j *job) newID() commID { return newCommID(j.rank, j.comms.Add(1)) }

// Dup returns a new communicator of the same ranks, whose messages and
// collectives never meet those of c. All ranks must call it, in the same
// order as their other collectives on c.
func (c *Comm) Dup(ctx context.Context) (*Comm, error) { return c.dup(ctx, intolerant) }

func (c *Comm) dup(ctx context.Context, policy lossPolicy) (*Comm, error) {
	now, err := c.enter(ctx, opDup, algorithmLinear, policy.call())
	if err != nil {
		return nil, err
	}
	var p Payload
	if c.group.self == 0 {
		p.Body = binary.BigEndian.AppendUint64(nil, uint64(c.job.newID()))
		err = c.sendAll(ctx, now, c.others(), p)
	} else {
		p, err = c.awaitPart(ctx, now, 0)
	}
	if err = c.finish(now, err); err != nil {
		return nil, err
	}
	if len(p.Body) != 8 {
		return nil, c.job.errorf("dup", c.group.leader(), fmt.Errorf("got %d bytes, want 8", len(p.Body)))
	}
	return c.job.newComm(commID(binary.BigEndian.Uint64(p.Body)), c.group, policy), nil
}

// Split returns a communicator of those ranks of c that pass the same color, in
// the order of their keys, and of their ranks in c where keys are equal. A rank
// with a negative color gets nil. All ranks of c must call it, in the same order
// as their other collectives on c; nobody outside c takes part.
func (c *Comm) Split(ctx context.Context, color, key int) (*Comm, error) {
	now, err := c.enter(ctx, opSplit, algorithmLinear, Call{})
	if err != nil {
		return nil, err
	}
	wish := binary.BigEndian.AppendUint64(nil, uint64(int64(color)))
	wish = binary.BigEndian.AppendUint64(wish, uint64(int64(key)))
	answer, err := c.splitByLeader(ctx, now, wish)
	if c.finish(now, err) != nil {
		return nil, err
	}
	return c.memberOf("split", answer)
}

// SplitNode is Split by node: a communicator of those ranks of c that run on
// this rank's node, in the order of their ranks in c. A rank of which that is
// not known is alone.
func (c *Comm) SplitNode(ctx context.Context) (*Comm, error) {
	peers, color := c.Peers(), c.group.self
	for rank, p := range peers[:color] {
		if sameNode(p, peers[color]) {
			color = rank
			break
		}
	}
	return c.Split(ctx, color, 0)
}

// splitByLeader tells the leader this rank's wish and returns what the leader
// has decided: the number of a communicator and its ranks in order; empty for a
// rank that is in none.
func (c *Comm) splitByLeader(ctx context.Context, now *round, wish []byte) ([]byte, error) {
	if c.group.self != 0 {
		if err := c.sendPart(ctx, now, 0, Payload{Body: wish}); err != nil {
			return nil, err
		}
		p, err := c.awaitPart(ctx, now, 0)
		return p.Body, err
	}
	wishes, err := c.collect(ctx, now, Payload{Body: wish}, nil)
	if err != nil {
		return nil, err
	}
	answers, err := c.divide(wishes)
	if err != nil {
		return nil, err
	}
	err = c.sendEach(ctx, now, c.others(), func(dest int) Payload { return Payload{Body: answers[dest]} })
	return answers[0], err
}

// divide makes groups of the ranks' wishes and returns what each rank is told.
func (c *Comm) divide(wishes []Payload) ([][]byte, error) {
	type member struct{ number, key int }
	groups := map[int][]member{}
	for number, w := range wishes {
		if len(w.Body) != 16 {
			return nil, c.job.errorf("split", c.group.rank(number), fmt.Errorf("sent %d bytes, want 16", len(w.Body)))
		}
		if color := int(int64(binary.BigEndian.Uint64(w.Body))); color >= 0 {
			groups[color] = append(groups[color], member{number, int(int64(binary.BigEndian.Uint64(w.Body[8:])))})
		}
	}
	answers := make([][]byte, len(wishes))
	for _, members := range groups {
		slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.key, b.key) })
		answer := binary.BigEndian.AppendUint64(nil, uint64(c.job.newID()))
		for _, m := range members {
			answer = binary.BigEndian.AppendUint32(answer, uint32(c.group.rank(m.number)))
		}
		for _, m := range members {
			answers[m.number] = answer
		}
	}
	return answers, nil
}

// memberOf is the communicator that the leader's answer puts this rank in.
func (c *Comm) memberOf(op string, answer []byte) (*Comm, error) {
	if len(answer) == 0 {
		return nil, nil
	}
	ranks, err := parseRanks(answer[min(8, len(answer)):], c.job.size)
	outside := func(rank int) bool { return !c.group.has(rank) }
	if err != nil || !slices.Contains(ranks, c.job.rank) || slices.ContainsFunc(ranks, outside) {
		return nil, c.job.errorf(op, c.group.leader(), fmt.Errorf("got a group that this rank cannot be in"))
	}
	return c.job.newComm(commID(binary.BigEndian.Uint64(answer)), groupOf(c.job.rank, ranks), intolerant), nil
}
