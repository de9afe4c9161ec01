// Package ame is the socket backend: it connects the ranks of a job by
// authenticated connections and carries their messages and collectives.
//
// Every rank but 0 holds one connection to rank 0, which relays what two others
// send each other until these have a connection of their own. Who the ranks are,
// where rank 0 listens, and the job's key come from elsewhere, as a Config.
//
// # Guarantees
//
// Messages match on communicator, source and tag, and arrive in order between
// each pair of ranks. Between different pairs there is no order. Collectives
// carry what they are and their number: ranks that are in different ones get an
// error that names both. When a rank is lost, every waiting and later call on
// the communicators that it is in returns an error with its rank, its node and
// the cause. No call waits busily for longer than about a fifth of a
// millisecond.
//
// # Limits
//
// A message that nobody has asked for yet is kept in the memory of its
// receiver, whatever its size. The communicator of a lost rank cannot go on
// without it. Rank 0's Close waits until the others have closed or are lost, for
// it relays what they send each other.
//
// # Security
//
// Both ends of each connection prove, by HMAC-SHA-256 over fresh nonces, that
// they know the job's key (docs/ame-protocol.md); whoever cannot is closed out.
// What follows is neither encrypted nor signed: the network between the nodes
// is trusted not to change or inject packets, as it is for MPI. Processes of one
// node share memory, in which they meet at barriers and, two by two, send each
// other their frames, and copy long parts out of each other's; the system lets no
// other user but root do so.
package ame
