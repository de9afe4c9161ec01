#!/bin/sh
# base-image.sh RELEASE makes the base image dlp-go-base:RELEASE (bookworm or
# trixie) if there is none yet.
#
# It is Debian's official image where a registry answers. Elsewhere it is made
# with debootstrap, which needs root, from the mirror that apt on this machine
# uses; on a machine that is not Debian, from debootstrap's own default.
#
# DOCKER names the docker client (default: docker).
set -eu

release=${1:?usage: base-image.sh RELEASE}
docker=${DOCKER:-docker}
image=dlp-go-base:$release
say() { echo "base-image.sh: $*" >&2; }

# Two runs that begin together make the image once.
exec 9>"${TMPDIR:-/tmp}/dlp-go-base-$release.$(id -u).lock"
flock 9

# had NAME says whether there is such an image.
had() { "$docker" image inspect "$1" >/dev/null 2>&1; }
if had "$image"; then
	exit 0
fi
slim=debian:$release-slim
if had "$slim"; then
	"$docker" tag "$slim" "$image"
	exit 0
fi

# Behind a firewall that drops packets, pull would hang for minutes. The image
# has 30 MB.
if timeout 60 "$docker" pull -q "$slim" >/dev/null 2>&1; then
	"$docker" tag "$slim" "$image"
	"$docker" rmi "$slim" >/dev/null
	exit 0
fi

say "no registry answers; making $image with debootstrap"
if [ "$(id -u)" != 0 ]; then
	say "debootstrap needs root: run once as root, or load an image as $image"
	exit 1
fi
if ! command -v debootstrap >/dev/null; then
	say "debootstrap is not installed (Debian: apt-get install debootstrap debian-archive-keyring)"
	exit 1
fi

# shellcheck disable=SC2016 # the fields are apt's
mirror=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(LABEL) $(REPO_URI)' 2>/dev/null |
	awk '$1 == "Debian" && $2 == "main" && $3 == "Debian" { print $4; exit }')

# A debootstrap older than the release has no script for it; the scripts of
# Debian's releases are all links to the same one.
script=
if [ ! -e "/usr/share/debootstrap/scripts/$release" ]; then
	script=/usr/share/debootstrap/scripts/sid
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
# The release's own key is needed, which an older keyring package lacks:
# debootstrap then says so by itself.
debootstrap --variant=minbase "$release" "$dir/root" "$mirror" ${script:+"$script"} >"$dir/log" 2>&1 || {
	say "debootstrap: $(tail -n 3 "$dir/log")"
	exit 1
}
rm -rf "$dir"/root/var/cache/apt/archives/*.deb "$dir"/root/var/lib/apt/lists/*
tar -C "$dir/root" -c . | "$docker" import - "$image" >/dev/null
