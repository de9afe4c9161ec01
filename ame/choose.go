package ame

// Which algorithm does a collective is decided here, by what all ranks know: how
// many they are and, where all pass the same number of elements, how many bytes
// those take. docs/collectives.md has the reasons and what was measured.

const (
	// linearRanks is the size of a group up to which the root of a broadcast
	// writes to all others itself. A write costs a small part of a hop through
	// another rank, which has to wake up first.
	linearRanks = 16

	// nodeChain is the size of a group on one node from which a long broadcast
	// goes from rank to rank.
	nodeChain = 8

	// barrierRanks is the size of a group on several nodes up to which its leader
	// meets each rank itself at a barrier. That takes less time than the hops of a
	// tree would.
	barrierRanks = 64

	// pairwiseBody is the length of vectors, in bytes, from which each rank of
	// an allreduce folds one piece of all of them.
	pairwiseBody = 256 << 10

	// pairwiseRanks bounds the ranks that send long vectors to all others
	// themselves. All pairs need a connection.
	pairwiseRanks = 64
)

// bcastBy is how the payload of a broadcast gets from the root to the others.
func bcastBy(size int) algorithm {
	if size <= linearRanks {
		return algorithmLinear
	}
	return algorithmTree
}

// barrierBy is how ranks meet by messages. Those of one node do so once, and then
// in memory.
func barrierBy(size int, oneNode func() bool) algorithm {
	if size > barrierRanks && !oneNode() {
		return algorithmTree
	}
	return algorithmLinear
}

// chained says whether a broadcast of some bytes goes from rank to rank: there
// are more pieces than ranks, so that most of the time all of them are at work.
// Few ranks of one node gain nothing by it, for all bytes cross the same memory,
// and it costs each of them a copy.
func chained(length, size int, oneNode bool) bool {
	return size > 2 && length > size*chainPiece && (!oneNode || size >= nodeChain)
}

// allgatherVectorBy is how vectors of some bytes get from all ranks to all.
func allgatherVectorBy(length, size int) algorithm {
	if length >= parallelBody && size <= pairwiseRanks {
		return algorithmPairwise
	}
	return algorithmBruck
}

// allreduceBy is how payloads of any length are folded for all ranks. Doubling
// brackets as the tree does only where the number of ranks is a power of two.
func allreduceBy(size int) algorithm {
	if size&(size-1) == 0 {
		return algorithmDoubling
	}
	return algorithmTree
}

// allreduceVectorBy is how vectors of some bytes are folded for all ranks.
func allreduceVectorBy(length, size int) algorithm {
	if length >= pairwiseBody && size <= pairwiseRanks && size > 1 {
		return algorithmPairwise
	}
	return allreduceBy(size)
}
