#!/bin/sh
# node.sh is what a container of the test cluster runs: munged twice (once for
# SLURM, once for users), sshd, and in the foreground slurmctld on the machine
# called ctl, slurmd on every other one. Their logs are the container's log.
#
# MPI_PORTS, such as 20000-20199, becomes MpiParams=ports= in slurm.conf; steps
# then get SLURM_STEP_RESV_PORTS. Empty: no such line.
set -eu

set-mpi-ports "${MPI_PORTS:-}"

# slurmd loads a cgroup plugin although slurm.conf asks for nothing that needs
# one, and the plugin for cgroup v2 cannot start in an unprivileged container.
# From 24.05 on it can be disabled; before, the plugin for v1 does no harm, and
# before 21.08 there is no other.
#
# The pmix plugin of 22.05 and before rejects one in a hundred of its own
# connections between nodes ("Munge decode failed: Unauthorized credential",
# "Connection reject"), and the step hangs. Without such connections srun carries
# the data.
case $(slurmd -V) in
*" 19."*) echo "FastSchedule=2" >>/etc/slurm/slurm.conf ;; # config_overrides of today
*" 20."*) ;;
*" 21."* | *" 22."* | *" 23."*) echo "CgroupPlugin=cgroup/v1" >/etc/slurm/cgroup.conf ;;
*) echo "CgroupPlugin=disabled" >/etc/slurm/cgroup.conf ;;
esac
case $(slurmd -V) in
*" 21."* | *" 22."*) echo "PMIxDirectConn=no" >/etc/slurm/mpi.conf ;;
esac

install -d -o munge -g munge -m 0755 /run/munge
start-munged munge
start-munged slurm

# Launchers connect many times at once, and sshd would turn some away. What they
# start by ssh is to find the same programs as srun does.
install -d /run/sshd
/usr/sbin/sshd -o MaxStartups=1000 -o "SetEnv=PATH=$PATH"

# Jobs of Open MPI that start and end side by side make and remove one directory
# for the sessions of a user, and some fail over that. What the user cannot
# remove from it keeps it.
for dir in ompi prte; do
	install -d -o user -g user -m 0700 "/tmp/$dir.$(hostname).1000"
	install -d -m 0755 "/tmp/$dir.$(hostname).1000/keep"
	install -m 0644 /dev/null "/tmp/$dir.$(hostname).1000/keep/keep"
done

if [ "$(hostname)" = ctl ]; then
	install -d /var/spool/slurmctld
	exec slurmctld -D
fi
install -d /var/spool/slurmd
exec slurmd -D
