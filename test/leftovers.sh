#!/bin/sh
# leftovers.sh says what the tests leave behind on this machine.
set -eu
cd "$(dirname "$0")"

images=$(integration/cluster.sh images)
if [ -n "$images" ]; then
	echo "left behind, so that the next run is quick: docker images (make clean removes them)"
	echo "$images" | sed 's/^/    /'
fi
pid=$(cat /run/dlp-go-dockerd.pid 2>/dev/null || true)
if [ -n "$pid" ] && [ "$(ps -o comm= -p "$pid")" = dockerd ]; then
	echo "left behind: dockerd, which the tests have started (kill $pid ends it)"
fi
