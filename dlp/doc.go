// Package dlp runs a loop on all ranks of a job: data-level parallelism for
// programs that do the same to many items, on one machine or many nodes.
//
// Every process runs the same program. Init finds out which launcher started
// it (srun, mpiexec, ameexec, or none) and connects it to the others; without
// a launcher it is rank 0 of 1, and everything below works serially.
//
//	world, err := dlp.Init(ctx)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer world.Close()
//
// Main does this for a whole program, with its signals, messages and status:
//
//	func main() {
//		dlp.Main(func(ctx context.Context, world *dlp.Comm) error { ... })
//	}
//
// # Three loops
//
// SplitRoundRobin gives each rank every Size-th item. It sends nothing: for
// items that all take about the same time.
//
// SplitManaged gives an item to whichever rank is free, rank 0 included. The
// loop body runs on all ranks and keeps its results, which a Gather or a
// container brings together afterwards.
//
// MapUnordered also gives an item to whichever rank is free, but what is done
// with it is a function, and its results go to rank 0 as they come. Rank 0's
// loop body gets them one by one: to write them to one file, to merge them, or
// to stop early.
//
// MapFromRoot does so with items that rank 0 alone has. With Slots a rank works on
// several items of these two at once.
//
// Execute is for work that is not a list: rank 0 submits tasks when it likes, for
// instance from the results of others, and waits for their futures.
//
// Otherwise items are not sent: all ranks have the same list, or the same sequence, and
// are told indices. What takes long to load belongs into the loop, what differs
// between ranks (a random order, a directory listing) is made the same by
// CallOnRoot or Bcast. The managed loops compare their items first, see Key.
//
// A loop may be left by break or return on any rank. When a rank leaves it by a
// panic, the loop ends on all ranks with an error that says which rank, on which
// node and, on rank 0, with which items unfinished. When a rank is lost, others
// do its items, see OnLoss. An error is the same on all ranks, for errors.Is
// (ErrLost and the others) and for errors.As (*ItemError).
//
// # Around the loops
//
// Gather and Bcast move values of any type between one rank, the root, and the
// others. That is rank 0, or the rank that Root names. CallOnRoot runs a function on rank 0 alone and gives its value to all.
// UnorderedList and NestedMap collect values on all ranks during a loop and
// bring them together on rank 0.
//
// All of these and the managed loops are collective: all ranks call them in the
// same order. A rank that does not is an error that names it rather than a hang.
// What is wrong is so on any number of ranks: on one alone, where nothing travels,
// the same call gets the same error, also that of a ctx which has ended before.
// Scatter, Allgather and Alltoall are the other ways to move values. Reduce,
// Allreduce, Scan, Exscan and ReduceScatter put the values of all ranks together
// by a function of two, such as Sum: in the order of the ranks, with the same
// digits from run to run. BcastInto, AllreduceInto and their like do so with the
// elements of slices of numbers.
//
// Comm.Split makes a Comm of some of the ranks, on which everything works as on
// that of Init: its rank 0 is the root and manages its loops.
//
// Inside a managed loop's body none of them can be used on the same Comm.
//
// # Long jobs
//
// StopOn ends a loop in good order when the job is asked to stop, StopBefore
// before its time is up, and Journal keeps the results of a map in a file, so that
// the program goes on there when it is started again. Retries and ItemTimeout are
// for work that fails or hangs.
//
// # Messages
//
// Send and Recv move a value between any two ranks, Isend and Irecv do so while
// the program computes, and Probe finds a message before its value is taken.
// They are not collective and work anywhere, inside a loop too. What the MPI
// standard says of order holds: messages between two ranks on one Comm do not
// overtake each other.
//
// # What travels
//
// Values travel whole or not at all. Numbers, strings, []byte and slices of
// numbers travel as they lie in memory, everything else as CBOR by its type:
//
//   - A type with a pair of methods for it encodes itself: MarshalCBOR and
//     UnmarshalCBOR, MarshalBinary and UnmarshalBinary, or GobEncode and
//     GobDecode, in this order. So do time.Time, big.Rat, netip.Addr and others.
//     Methods of an embedded field do not count beside other fields.
//   - Otherwise a struct's fields travel. One that is unexported, a func or a
//     chan is an error that names it (T.Stats.mean), on all ranks, before
//     anything is sent, and also if there is only one rank. The tag `dlp:"-"`
//     leaves a field out; so are blank and empty fields, sync.Mutex and
//     sync.RWMutex. Tags of other packages do not matter.
//   - MarshalText and UnmarshalText, which are made for people, go last.
//
// Pointers to one value arrive as pointers to several. A time.Time keeps its
// offset, not the name of its zone. WithCodec replaces all this.
//
// What is in an any travels without its type. All ranks get one of these, rank
// 0 too of its own:
//
//	sent                                    arrives as
//	int of any size or name                 int64
//	uint of any size or name                int64, above its range uint64
//	float32, float64                        float64
//	complex64, complex128                   complex128
//	string, bool, nil                       the same, without a name
//	[]byte, [n]byte                         []byte
//	other slices and arrays                 []any
//	map with keys of kind string            map[string]any
//	struct                                  map[string]any, by the names of its fields
//	time.Time                               time.Time
//	pointer                                 what it points to
//	nil pointer, slice, map                 nil
//
// Other maps and types that encode themselves are an error there, as is any
// value in an interface that has methods, such as error, unless it is nil.
//
// # What it is not
//
// It is not MPI: when a rank is lost, a loop goes on with the others, but its Comm
// has no collectives any more until the program makes a smaller one (Shrink). It
// does not start processes or move files. All ranks must be builds
// of one program: neither the protocol nor the encoding is stable between
// versions.
//
// The connections are authenticated but neither encrypted nor signed; see
// package ame for what that means, and package bootstrap for the launchers
// and the variables (AME_TIMEOUT, AME_HEARTBEAT, AME_VERBOSE and others).
package dlp
