#!/bin/sh
# cluster.sh runs a SLURM cluster in docker: the controller ctl and the nodes
# c1, c2 and c3.
#
#   cluster.sh check           say why there can be no cluster here; status 1 then
#   cluster.sh up              build what is missing, start, wait until nodes idle;
#                              print docker's path and the containers as NAME=VALUE
#   cluster.sh install PATH... copy files or directories to /opt/dlp, which all machines share
#   cluster.sh shell [NODE]    a shell on a machine (default ctl), as a plain user
#   cluster.sh logs            what slurmctld and slurmd have said
#   cluster.sh down            remove it; the images stay
#   cluster.sh images          what the images of all clusters take; nothing if there are none
#   cluster.sh clean           remove those images
#   cluster.sh watch           wait for the end of standard input, then down
#
# RELEASE is the release of Debian or Ubuntu (default: bookworm). PROJECT tells
# clusters apart; the default belongs to this directory and RELEASE. MPI_PORTS
# are the ports that steps reserve; empty for none (default 20000-20199).
set -eu

from=$(pwd) # what the paths to install are relative to
cd "$(dirname "$0")"
RELEASE=${RELEASE:-bookworm}
PROJECT=${PROJECT:-dlp$(pwd | cksum | cut -d ' ' -f 1)-$RELEASE}
# Named after what it is made of: another checkout may build another one now.
IMAGE=dlp-go-cluster:$RELEASE-$(cat Dockerfile slurm.conf node.sh start-munged set-mpi-ports run-job | cksum | cut -d ' ' -f 1)
export RELEASE IMAGE
machines="ctl c1 c2 c3"
# All images that cluster.sh and base-image.sh make.
repositories="dlp-go-cluster dlp-go-base"
say() { echo "cluster.sh: $*" >&2; }

# compose runs whichever docker compose there is.
compose() {
	if "$DOCKER" compose version >/dev/null 2>&1; then
		"$DOCKER" compose -p "$PROJECT" "$@"
	else
		docker-compose -p "$PROJECT" "$@"
	fi
}

# images FORMAT prints a line for each image.
images() {
	for repository in $repositories; do
		"$DOCKER" images --format "$1" "$repository"
	done
}

check() {
	if ! "$DOCKER" compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
		say "neither 'docker compose' nor docker-compose is installed (Debian: apt-get install docker-compose)"
		return 1
	fi
	./base-image.sh "$RELEASE"
}

# container MACHINE prints the container's id. Its name depends on the version of
# compose.
container() {
	id=$("$DOCKER" ps -q --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1")
	if [ -z "$id" ]; then
		say "there is no machine $1 in the cluster $PROJECT: cluster.sh up"
		return 1
	fi
	echo "$id"
}

# The build uses the network of the machine itself, on which its mirror is
# known to be reachable.
build() (
	# Clusters that come up together make the image once.
	exec 9>"${TMPDIR:-/tmp}/dlp-go-cluster-$RELEASE.$(id -u).lock"
	flock 9
	if "$DOCKER" image inspect "$IMAGE" >/dev/null 2>&1; then
		return 0
	fi
	if ! log=$("$DOCKER" build --network host --build-arg http_proxy \
		--build-arg RELEASE="$RELEASE" --build-arg BASE="dlp-go-base:$RELEASE" -t "$IMAGE" . 2>&1); then
		echo "$log" | tail -n 40 >&2
		say "the image does not build"
		return 1
	fi
)

wait_idle() {
	ctl=$(container ctl)
	tries=0
	while [ $tries -lt 300 ]; do
		idle=$("$DOCKER" exec "$ctl" sinfo -h -N -o %t 2>/dev/null | grep -cx idle || true)
		if [ "$idle" = 3 ]; then
			return 0
		fi
		tries=$((tries + 1))
		sleep 0.2
	done
	say "the nodes are not idle after a minute:"
	"$DOCKER" exec "$ctl" sinfo -N -l >&2 || true
	logs >&2
	return 1
}

logs() {
	for machine in $machines; do
		echo "== $machine"
		if id=$(container "$machine"); then
			"$DOCKER" logs --tail 40 "$id" 2>&1 || true
		fi
	done
}

case ${1:-} in
images | clean)
	# No daemon is started for these.
	if ! DOCKER=$(./dockerd.sh --running); then
		exit 0
	fi
	;;
*)
	DOCKER=$(./dockerd.sh)
	;;
esac
export DOCKER

case ${1:-} in
check)
	check
	;;
up)
	check
	build
	compose up -d >/dev/null 2>&1 || compose up -d >&2
	wait_idle
	echo "DOCKER=$DOCKER"
	for machine in $machines; do
		id=$(container "$machine")
		echo "$machine=$id"
	done
	;;
install)
	shift
	id=$(container ctl)
	# Pairs of the folder that a path is in, and its name there.
	for path in "$@"; do
		shift
		case $path in
		/*) ;;
		*) path=$from/$path ;;
		esac
		set -- "$@" -C "$(dirname "$path")" "$(basename "$path")"
	done
	# One archive: a copy takes its time. It reports success on standard error.
	if ! out=$(tar -chf - "$@" | "$DOCKER" cp - "$id:/opt/dlp/" 2>&1); then
		say "copy to $id: $out"
		exit 1
	fi
	;;
shell)
	id=$(container "${2:-ctl}")
	exec "$DOCKER" exec -it -u user -w /home/user "$id" bash
	;;
logs)
	logs
	;;
down)
	compose down -t 1 -v --remove-orphans >/dev/null 2>&1 || compose down -t 1 -v --remove-orphans >&2
	;;
watch)
	# Deaf to the interrupt that ends whoever holds the other end.
	trap '' INT TERM HUP
	cat >/dev/null
	compose down -t 1 -v --remove-orphans >/dev/null 2>&1 || compose down -t 1 -v --remove-orphans >&2
	;;
images)
	images '{{.Repository}}:{{.Tag}} ({{.Size}})'
	;;
clean)
	ids=$(images '{{.Repository}}:{{.Tag}}')
	if [ -n "$ids" ]; then
		# shellcheck disable=SC2086 # one word for each image
		"$DOCKER" rmi $ids >/dev/null
	fi
	;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
