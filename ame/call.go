package ame

import "fmt"

// Call says which collective a rank enters, besides its kind. All ranks must
// pass the same Root and Use.
type Call struct {
	Root int // rank of the communicator that the collective is centred on

	// Use is a number that the layer above gives to what it does with the
	// collective, so that ranks which do different things get an error; 0 is
	// plain use. Name is what messages call it on this rank; the default is
	// the kind.
	Use  uint8
	Name string

	// Count is the number of elements that this rank passes, for messages; 0
	// is not told.
	Count int

	// PC, if not 0, is from where the user has called, as runtime.Callers tells
	// it: for a collective that another goroutine enters.
	PC uintptr
}

// call is the identity of a collective on the wire. Ranks that meet under one
// sequence number must be in equal ones.
type call struct {
	op        op
	algorithm algorithm
	use       uint8
	root      uint32 // rank of the job
}

// op is a kind of collective. The values are part of the protocol.
type op uint8

const (
	opBcast         op = 1
	opGather        op = 2
	opBarrier       op = 3
	opDup           op = 4
	opSplit         op = 5
	opScatter       op = 6
	opAllgather     op = 7
	opReduce        op = 8
	opAllreduce     op = 9
	opScan          op = 10
	opExscan        op = 11
	opReduceScatter op = 12
	opAlltoall      op = 13
)

var opNames = map[op]string{
	opBcast: "bcast", opGather: "gather", opBarrier: "barrier", opDup: "dup", opSplit: "split",
	opScatter: "scatter", opAllgather: "allgather", opReduce: "reduce", opAllreduce: "allreduce",
	opScan: "scan", opExscan: "exscan", opReduceScatter: "reduce scatter", opAlltoall: "alltoall",
}

func (o op) String() string {
	if name, ok := opNames[o]; ok {
		return name
	}
	return fmt.Sprintf("collective %d", uint8(o))
}

// algorithm is by which messages a collective is done. The values are part of
// the protocol.
type algorithm uint8

const (
	algorithmLinear   algorithm = 0 // one part between the root and each rank
	algorithmMemory   algorithm = 1 // in memory that the ranks share; parts for those that sleep
	algorithmTree     algorithm = 2 // along a binomial tree
	algorithmDoubling algorithm = 3 // between ranks at distances of 1, 2, 4, ...
	algorithmPairwise algorithm = 4 // between all pairs of ranks
	algorithmBruck    algorithm = 5 // ever longer lists, to ranks 1, 2, 4, ... below
)

// next is the digest of a history that had the digest before and goes on with c.
func (c call) next(before uint32) uint32 {
	return 31*(31*before+uint32(c.op)+uint32(c.use)<<8) + c.root
}
