#!/bin/sh
# base-image.sh RELEASE makes the base image dlp-go-base:RELEASE if there is none
# yet, of a release of Debian (bookworm, trixie) or Ubuntu (jammy, noble).
#
# It is the official image where a registry answers. Elsewhere it is made with
# debootstrap, which needs root, from the mirror that apt on this machine uses;
# on a machine of another distribution, from debootstrap's own default.
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
case $release in
bionic | focal | jammy | noble | questing)
	vendor=Ubuntu official=ubuntu:$release components=main,universe like=gutsy
	keys=ubuntu-archive-keyring package=ubuntu-keyring
	;;
*)
	vendor=Debian official=debian:$release-slim components=main like=sid
	keys=debian-archive-keyring package=debian-archive-keyring
	;;
esac
if had "$official"; then
	"$docker" tag "$official" "$image"
	exit 0
fi

# Behind a firewall that drops packets, pull would hang for minutes. The image
# has 30 MB.
if timeout 60 "$docker" pull -q "$official" >/dev/null 2>&1; then
	"$docker" tag "$official" "$image"
	"$docker" rmi "$official" >/dev/null
	exit 0
fi

say "no registry answers; making $image with debootstrap"
if [ "$(id -u)" != 0 ]; then
	say "debootstrap needs root: run once as root, or load an image as $image"
	exit 1
fi
keyring=/usr/share/keyrings/$keys.gpg
if ! command -v debootstrap >/dev/null || ! [ -e "$keyring" ]; then
	say "debootstrap or $keyring is not installed (Debian: apt-get install debootstrap $package)"
	exit 1
fi

# shellcheck disable=SC2016 # the fields are apt's
mirror=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(LABEL) $(REPO_URI)' 2>/dev/null |
	awk -v vendor=$vendor '$1 == vendor && $2 == "main" && $3 == vendor { print $4; exit }')

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
# A keyring may be older than the release's key: debootstrap then says so. One
# script serves all releases of a vendor; a debootstrap older than the release
# knows it by no other name.
debootstrap --variant=minbase --components=$components --keyring="$keyring" \
	"$release" "$dir/root" "$mirror" "/usr/share/debootstrap/scripts/$like" >"$dir/log" 2>&1 || {
	say "debootstrap: $(tail -n 3 "$dir/log")"
	exit 1
}
rm -rf "$dir"/root/var/cache/apt/archives/*.deb "$dir"/root/var/lib/apt/lists/*
tar -C "$dir/root" -c . | "$docker" import - "$image" >/dev/null
