package pmi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mappingKey is the key under which a launcher publishes its Mapping.
const mappingKey = "PMI_process_mapping"

// Mapping tells which rank runs on which node: blocks are dealt to the ranks
// in order, and when they run out before the ranks do, the deal starts again
// at the first block that begins at node 0. hydra 4.0.2 counts on that and
// sends (vector,(0,1,1)) for any number of ranks on one node.
type Mapping []Block

// Block deals Ranks consecutive ranks to each of the Nodes nodes from First on.
type Block struct {
	First, Nodes, Ranks int
}

// Place is where a rank runs, among all ranks of the job.
type Place struct {
	Node      int // as numbered by the launcher
	Nodes     int // of the job
	LocalRank int // rank among those of the same node
	LocalSize int // number of ranks on the same node
}

// maxMapped bounds the numbers in a mapping, and with them sums of them.
const maxMapped = 1 << 24

// parseMapping reads the form "(vector,(first,nodes,ranks),...)" in which
// launchers write a mapping. Spaces are allowed, as MPICH allows them.
func parseMapping(text string) (Mapping, error) {
	bad := func(why string) (Mapping, error) {
		return nil, fmt.Errorf("pmi: process mapping %.80q: %s", text, why)
	}
	compact := strings.ReplaceAll(text, " ", "")
	list, ok := strings.CutPrefix(compact, "(vector,(")
	if !ok {
		return bad("does not start with (vector,(")
	}
	list, ok = strings.CutSuffix(list, "))")
	if !ok {
		return bad("does not end with ))")
	}
	var m Mapping
	for block := range strings.SplitSeq(list, "),(") {
		words := strings.Split(block, ",")
		if len(words) != 3 {
			return bad("a block does not have three numbers")
		}
		var numbers [3]int
		for i, word := range words {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil || n > maxMapped {
				return bad("a block has a number that is none or too large")
			}
			numbers[i] = int(n)
		}
		b := Block{numbers[0], numbers[1], numbers[2]}
		if b.Nodes == 0 || b.Ranks == 0 {
			return bad("a block has no ranks")
		}
		m = append(m, b)
	}
	return m, nil
}

// mappingOf returns the mapping of ranks to the given nodes: nodes[r] is where
// rank r runs.
func mappingOf(nodes []int) Mapping {
	var m Mapping
	for i := 0; i < len(nodes); {
		run := 1
		for i+run < len(nodes) && nodes[i+run] == nodes[i] {
			run++
		}
		if last := len(m) - 1; last >= 0 && m[last].Ranks == run && m[last].First+m[last].Nodes == nodes[i] {
			m[last].Nodes++
		} else {
			m = append(m, Block{First: nodes[i], Nodes: 1, Ranks: run})
		}
		i += run
	}
	return m
}

// String writes the mapping in the form that parseMapping reads.
func (m Mapping) String() string {
	var b strings.Builder
	b.WriteString("(vector")
	for _, block := range m {
		fmt.Fprintf(&b, ",(%d,%d,%d)", block.First, block.Nodes, block.Ranks)
	}
	b.WriteByte(')')
	return b.String()
}

// nodes returns the node of each of size ranks.
func (m Mapping) nodes(size int) ([]int, error) {
	if len(m) == 0 {
		return nil, errors.New("pmi: process mapping has no blocks")
	}
	if size < 1 || size > maxMapped {
		return nil, fmt.Errorf("pmi: process mapping for %d ranks", size)
	}
	again := 0
	for m[again].First != 0 {
		if again++; again == len(m) {
			again = 0
			break
		}
	}
	nodes := make([]int, 0, size)
	for i := 0; ; i++ {
		if i == len(m) {
			i = again
		}
		b := m[i]
		if b.Nodes < 1 || b.Ranks < 1 {
			return nil, fmt.Errorf("pmi: process mapping: block %+v has no ranks", b)
		}
		for node := range b.Nodes {
			for range b.Ranks {
				nodes = append(nodes, b.First+node)
				if len(nodes) == size {
					return nodes, nil
				}
			}
		}
	}
}

// Place returns where rank of size runs.
func (m Mapping) Place(rank, size int) (Place, error) {
	if rank < 0 || rank >= size {
		return Place{}, fmt.Errorf("pmi: process mapping: rank %d of %d", rank, size)
	}
	nodes, err := m.nodes(size)
	if err != nil {
		return Place{}, err
	}
	p := Place{Node: nodes[rank]}
	seen := make(map[int]bool)
	for r, node := range nodes {
		seen[node] = true
		if node != p.Node {
			continue
		}
		p.LocalSize++
		if r < rank {
			p.LocalRank++
		}
	}
	p.Nodes = len(seen)
	return p, nil
}
