// Package pmi speaks PMI-1, the line protocol by which an MPI launcher tells
// its processes who they are and lets them exchange a few short strings.
//
// [Client] is the side of a process. It works under every launcher that hands
// out PMI_FD (mpiexec.hydra of MPICH and its relatives, srun with the pmi2
// plugin, flux) or PMI_PORT. [Server] is the side of a launcher; unmodified
// MPICH programs run under it. PMI-2 is not spoken: every launcher that offers
// it speaks PMI-1 as well, and hydra's PMI-2 fence is not a barrier.
//
// # Wire format
//
// A message is one line of ASCII: pairs key=value, separated by spaces, ended
// by one newline, no carriage return. The client sends a request and waits for
// the reply. There is no escaping, so that a value holds neither a space nor a
// newline. The order of the fields differs between launchers and versions, and
// so does which of the optional ones come; only the names below are common.
//
//	request                                    reply
//	cmd=init pmi_version=1 pmi_subversion=1    cmd=response_to_init pmi_version pmi_subversion [rc]
//	cmd=get_maxes                              cmd=maxes kvsname_max keylen_max vallen_max [rc]
//	cmd=get_appnum                             cmd=appnum appnum [rc]
//	cmd=get_universe_size                      cmd=universe_size size [rc]
//	cmd=get_my_kvsname                         cmd=my_kvsname kvsname [rc]
//	cmd=put kvsname= key= value=               cmd=put_result [rc] [msg]
//	cmd=barrier_in                             cmd=barrier_out [rc] [msg] [tag], when all ranks are in
//	cmd=get kvsname= key=                      cmd=get_result [rc] [msg] value [found]
//	cmd=finalize                               cmd=finalize_ack [rc]
//	cmd=abort exitcode=                        none: the job is killed
//	cmd=publish_name service= port=            cmd=publish_result [info] [rc] [msg]
//	cmd=lookup_name service=                   cmd=lookup_result port [info] [rc] [msg]
//	cmd=unpublish_name service=                cmd=unpublish_result [info] [rc] [msg]
//	mcmd=spawn ... endcmd (several lines)      cmd=spawn_result rc
//
// An absent rc means 0. Whether a get found its key is told by rc alone: some
// launchers send value=unknown with the failure.
//
// # Limits
//
// Launchers cut what is too long and report success. The client therefore
// refuses it: requests of at most 1024 bytes, keys of at most 63, values of at
// most 650 bytes, all from a small alphabet. [Client.PutLong] splits longer
// values. The protocol is not encrypted; it runs over a socket pair, or in
// PMI_PORT mode over the cluster's network, which is trusted.
package pmi
