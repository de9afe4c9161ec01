// Package control is the channel by which ameexec and the ranks that it starts
// on its node find each other: both ends of it.
//
// Every rank inherits one end of a Unix stream socket, as the descriptor that
// AME_CONTROL_FD names. To join a job, a program makes a socket pair and sends
// one end over that descriptor, with one byte 'S'; nothing else is ever sent on
// it, and nothing is read from it. So a rank may run several programs one after
// another (sh -c './a; ./b') or fork: each has a session of its own, and the
// n-th session of a rank is matched with the n-th session of every other rank.
//
// A session is a dialogue of JSON lines of at most 64 KiB:
//
//	program                              launcher
//	-----------------------------------  ------------------------------------------
//	join version rank                ->
//	                                 <-  world version rank size job host app
//	                                           local_rank local_size
//	rank 0, once it listens:
//	publish text addresses           ->
//	                                 <-  published
//	other ranks wait for:
//	                                 <-  root text
//	all, when they are connected:
//	up                               ->
//
// after which they hang up. The text is theirs: the launcher passes it on as it
// is. It holds a key, and is safe on a channel that only this job's processes
// have. The addresses are for the launcher's log. The job id is fresh for each
// session. At any time the launcher may send error why instead, and does so when
// a rank has ended that should have come, and when a program hangs up before
// anyone has said up. With one rank the dialogue ends after world.
//
// A program may open another one at any time, to tell the launcher what is no
// other rank's business: how far it is, for the launcher's terminal, and whom it
// has lost, for the exit status of the job.
//
//	report version rank              ->
//	                                 <-  reporting bar
//	progress progress                ->
//	lost peer                        ->
//	                                 <-  noted
package control
