// Package bootstrap tells a process which rank of which job it is, where
// rank 0 listens, and the key that the ranks share.
//
// [Find] walks an ordered list of methods and joins by the first one whose
// launcher has started this process:
//
//	method     available when                      address and key of rank 0 travel by
//	---------  ----------------------------------  -----------------------------------------
//	ame        AME_RANK and AME_SIZE are set       the descriptor AME_CONTROL_FD (ameexec), or
//	                                               AME_HOST, AME_PORT, AME_AUTHKEY (by hand)
//	pmi        PMI_FD is a live connection to a    the launcher's key-value space (PMI-1)
//	           launcher, or PMI_PORT and PMI_ID
//	pmix       PMIX_NAMESPACE, PMIX_RANK and a     the PMIx server of the launcher, that is of
//	           PMIX_SERVER_URI that we speak       srun --mpi=pmix or mpiexec of Open MPI
//	pmix-file  PMIX_NAMESPACE or                   a file in a directory that all ranks see
//	           OMPI_COMM_WORLD_RANK is set
//	slurm      SLURM_STEP_ID and SLURM_PROCID     ports that all ranks of the step can work
//	           are those of a task of srun         out, the key by MUNGE or a key file; or a
//	                                               file, if AME_RENDEZVOUS_DIR is set
//	single     always                              nothing to send: rank 0 of 1
//
// All ranks must choose alike, so a method looks only at what has the same
// shape on every rank, and a chosen method that fails is an error, never a step
// to the next one: half of the ranks would follow and the job would hang.
//
// Launchers may be nested: what is left over from one further up, variables and
// descriptors, must not win. internal/nesting says how that is told; where it
// cannot be, the error names the variables, and AME_BOOTSTRAP decides.
//
// # Variables a user may set
//
//	name            meaning                                                        default
//	--------------  -------------------------------------------------------------  ---------------
//	AME_BOOTSTRAP   name of the method to use, whatever else is available          first available
//	AME_VERBOSE     1: print the methods with their reasons on stderr of rank 0    0
//	AME_TIMEOUT     time for all ranks to come up: 90s, 10m, or plain seconds      5m
//	AME_HEARTBEAT   how long a rank may show no sign of life before it is lost;    10s
//	                what rank 0 has counts; 0: for ever, as to stop one in a
//	                debugger
//	AME_MEMORY      0: ranks of one node share no memory, and use connections      1
//	AME_TLS         1, on all ranks: what they send each other is encrypted         0
//	AME_INTERFACE   interface (ib0) or network (10.1.0.0/16) ranks listen on       all that are up
//	AME_PORT_RANGE  ports ranks may listen on: 20000-20100, or one port            any free port
//	AME_MPMD        1, on all ranks: different programs behind a script are one    0
//	                job; those that a launcher starts without a script may be
//	AME_JOB         name of the job in messages; no two jobs at once may share it  made up
//
// where ranks meet by a file (pmix-file, and slurm if it is set):
//
//	name                meaning                                default
//	------------------  -------------------------------------  ------------------------------------------
//	AME_RENDEZVOUS_DIR  directory that all ranks see and that  on one node the launcher's own or the
//	                    rank 0 can write to                    working directory; else the working
//	                                                           directory if it is on a network file system
//
// and, for a launcher of your own (a loop over ssh, a container platform):
//
//	name            meaning                                                        default
//	--------------  -------------------------------------------------------------  ---------------
//	AME_RANK        rank of this process, 0 .. AME_SIZE-1                          must be set
//	AME_SIZE        number of ranks                                                must be set
//	AME_HOST        name or address by which the other ranks reach rank 0          must be set
//	AME_PORT        port that rank 0 binds and the others connect to               must be set
//	AME_AUTHKEY     the job's secret: base64 of at least 32 random bytes           must be set
//
// and, for the method slurm, by which ranks prove to belong to the same user:
//
//	name              meaning                                                        default
//	----------------  -------------------------------------------------------------  ---------------
//	AME_MUNGE_SOCKET  socket of munged, where the site has moved it                  usual places
//	AME_KEY_FILE      file with a secret that all nodes see and only you can read;   ~/.config/ame/key,
//	                  it is made if there is none, and MUNGE is not used             without munged only
//	AME_INSECURE      1: go on without proof; anybody on the network can join        0
//
// AME_RANK_PROCESS is set by a rank for the programs that it starts: they are
// no ranks of its job, and come up as single, unless it has closed its Comm before.
//
// AME_CONTROL_FD is set by ameexec and by nobody else; internal/control
// specifies what travels over it. A variable that is set to nothing counts as not set.
//
// # Limits
//
// The key keeps strangers out of a job; it does not encrypt what the ranks
// say to each other, so the network between the nodes is trusted. Under PMI
// the key travels in the launcher's key-value space, as clear text: mpiexec.hydra
// prints that with -verbose, and such output is as secret as the job. Whoever can
// read a process's environment can read AME_AUTHKEY; ameexec hands its key
// over the control descriptor instead.
package bootstrap
