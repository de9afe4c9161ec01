#!/bin/sh
# dockerd.sh makes sure that a docker daemon answers and prints the docker
# client that it answers to.
#
# A daemon that runs already is used as it is. Otherwise, as root, one is
# started, and it is left running: the images it holds make the next run quick.
#
# dockerd.sh --running starts none and only looks.
#
# Where the daemon cannot start as it would by itself, these are tried, too:
# the older iptables (kernels without nf_tables), then slower storage drivers
# (file systems that overlayfs cannot sit on).
#
# Exit status: 0 the path of the client is on stdout; 1 no daemon, the reason
# is on stderr.
set -eu

log=${DOCKERD_LOG:-/var/log/dlp-go-dockerd.log}
say() { echo "dockerd.sh: $*" >&2; }

# A machine may have several clients, and a client refuses to talk to a daemon
# that is much older than itself: take the first that gets an answer.
client() {
	for dir in $(echo "$PATH" | tr : ' '); do
		[ -x "$dir/docker" ] || continue
		if timeout 20 "$dir/docker" version >/dev/null 2>&1; then
			echo "$dir/docker"
			return 0
		fi
	done
	return 1
}

# A daemon needs cgroups. Virtual machines without an init system often have
# none mounted.
mount_cgroups() {
	if grep -q ' /sys/fs/cgroup' /proc/self/mounts; then
		return 0
	fi
	mkdir -p /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>>"$log"
}

# start OPTIONS starts a daemon and waits until it answers or ends.
start() {
	say "starting dockerd${*:+ $*}; its log is $log"
	echo "== dockerd${*:+ $*}" >>"$log"
	# Another session, so that an interrupt at the terminal ends the tests
	# and not the daemon.
	setsid dockerd "$@" </dev/null >>"$log" 2>&1 &
	pid=$!
	echo $pid >/run/dlp-go-dockerd.pid # what the tests leave behind: ../leftovers.sh
	tries=0
	while [ $tries -lt 120 ]; do
		if client >/dev/null; then
			return 0
		fi
		if ! kill -0 $pid 2>/dev/null; then
			return 1
		fi
		tries=$((tries + 1))
		sleep 0.5
	done
	kill $pid
	wait $pid || true
	return 1
}

# legacy_iptables puts the older iptables first in PATH, for the daemon alone.
legacy_iptables() {
	command -v iptables-legacy >/dev/null || return 1
	shim=$(mktemp -d)
	for name in iptables ip6tables; do
		ln -s "$(command -v $name-legacy)" "$shim/$name"
	done
	PATH=$shim:$PATH
}

start_any() {
	start && return 0
	if legacy_iptables; then
		start && return 0
	fi
	if command -v fuse-overlayfs >/dev/null; then
		start --storage-driver=fuse-overlayfs && return 0
	fi
	start --storage-driver=vfs
}

if client; then
	exit 0
fi
if [ "${1:-}" = --running ]; then
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	say "no docker daemon answers, and only root can start one: start it, or see that this user may use it (group docker)"
	exit 1
fi
if ! command -v dockerd >/dev/null; then
	say "no docker daemon answers, and dockerd is not installed: install docker (Debian: apt-get install docker.io docker-compose debootstrap)"
	exit 1
fi

# Two runs that begin together must not start two daemons.
exec 9>/var/lock/dlp-go-dockerd.lock
flock 9
if client; then
	exit 0
fi
mount_cgroups || say "no cgroups could be mounted; dockerd may not start"
# The daemon must not inherit the lock: it would hold it as long as it runs.
if ! start_any 9>&-; then
	say "dockerd does not start; the end of $log:"
	tail -n 20 "$log" >&2
	exit 1
fi
client
