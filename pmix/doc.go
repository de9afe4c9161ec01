// Package pmix is a client of the PMIx servers inside process launchers,
// written from the bytes that go over the socket: no C library, no cgo.
//
// A launcher built with PMIx (srun --mpi=pmix, Open MPI's mpiexec, PRRTE)
// tells each process through PMIX_* variables who it is and where the server
// of its node listens. A rank connects, puts small values, commits them, and
// after a fence every rank can get the values of every other one:
//
//	client, err := pmix.Connect(ctx, os.LookupEnv)
//	err = client.Put("endpoint", "node07:40213")   // on the ranks that have something to say
//	err = client.Commit(ctx)
//	err = client.Fence(ctx, true)                  // all ranks
//	endpoint, err := client.Get(ctx, 0, "endpoint")
//	err = client.Finalize(ctx)                     // all ranks, early
//
// That is what a job needs to find its rank 0. The rest of PMIx (spawn,
// events, tools, groups, the shared-memory data stores) is not here.
//
// # What a caller must know
//
// A PMIx server is not robust. What goes wrong in it takes the whole job down.
// One refused handshake blocks the servers of OpenPMIx 4.2.2 and 5.0.7 for good:
// every rank of the job hangs, and mpiexec ignores SIGTERM. So [Available] looks
// for every known reason to be refused before a socket is opened. A connect is
// tried once, and never again in another form. A process whose user or group id
// is mapped (a user namespace, some containers) does not connect at all.
//
// All ranks must do the same: connect, enter the same fences with the same
// collect argument, finalize. No rank may be, or start, an MPI program of the
// same namespace at the same time, because the server keeps one dialect per
// namespace.
//
// A rank that leaves without [Client.Finalize] counts as crashed: mpiexec of
// Open MPI and srun then kill the job. After Finalize the server has forgotten
// the rank. So finalize as soon as nothing more is to be asked; the process may
// live on for as long as it likes.
//
// Several programs may run one after another in the same task, each with a
// connection of its own. All ranks must have finalized in one program before any
// rank connects in the next: servers up to 7.0 count ranks wrongly when the end
// of one connection meets a fence that has already begun. Servers before 4.1
// forget a rank that has finalized; run one program per task there.
//
// A server never gives up on a fence that other nodes do not enter. Every
// call takes a context; give it a deadline.
// A fence of Slurm 22.05 with PMIxDirectConn=no is the opposite: it waits for no
// other node, so what a rank has put may come after it.
//
// # Servers seen
//
// These have served real jobs: OpenPMIx 4.2.2 in Open MPI 4.1.4 and in Slurm
// 22.05 (1 to 3 nodes), 5.0.7 in Open MPI 5.0.7 and in Slurm 24.11. Sessions were
// recorded with two more: 3.2.5 (its own test host) and 4.0.0 (Open MPI 4.1.0).
// All servers from 3.0 to 7.0 offer at least one of the formats v3, v4 and v41; a
// server that offers none is not available to this client. IPv6 has not been
// tried, nor have big-endian and 32-bit machines.
//
// # The bytes
//
// The server's listener is plain TCP. The client opens with a handshake, the
// only thing in host byte order:
//
//	-1 int32, 0xffffffff uint32, length uint32, 0 uint32     host order
//	security module   string, NUL-terminated                  "native"
//	credential        uint32 length (big endian), bytes       effective uid and gid, host order
//	flag              1 byte                                  0: a simple client
//	namespace         string, NUL-terminated
//	rank              uint32, big endian
//	version           string, NUL-terminated                  "4.2.2"
//	packing module    string, NUL-terminated                  "v41", "v4" or "v3"
//	buffer type       1 byte                                  1: bare, 2: described
//	data store        string, NUL-terminated                  "hash"
//
// and gets two big-endian words: a status, 0 for welcome, and an index that
// goes into every later header. A refusal is a closed socket. From then on
// both sides send frames, all big endian:
//
//	index uint32, tag uint32, length uint32, 0 uint32, then length bytes
//
// A request has a fresh tag and is answered once, under the same tag; answers
// come in any order. Tags below 100 are the server's own messages.
//
// A payload is a sequence of packed items. Integers are fixed, big endian
// (v3), or flexible (v4, v41): base 128, least significant group first, the
// top bit says that more follow; signed ones are zigzag coded. Each item is
// preceded by its count and, in a described buffer, by its type.
//
//	request   packed items
//	abort     COMMAND 1, STATUS code, STRING message, SIZE 0
//	commit    COMMAND 2, then for scope LOCAL 1 and REMOTE 2: SCOPE, BUFFER of KVALs
//	fence     COMMAND 3, SIZE 1, PROC {namespace, all}, SIZE n, INFO x n
//	get       COMMAND 4, STRING namespace, PROC_RANK, SIZE n, INFO x n, STRING key
//	finalize  COMMAND 5
//	answer    STATUS; for a get then BYTE_OBJECTs, each PROC and KVALs
//
// The data store is always hash: with the shared-memory stores the answers
// are not on the wire.
package pmix
