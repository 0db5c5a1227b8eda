#!/bin/sh
# The first layer's ground: a minimal Debian from the mirror that settings.sh names.
#   bootstrap.sh ROOT DEB_CACHE INPUTS
set -eu
root=$1 debs=$2 inputs=$3
. "$inputs/settings.sh"
# debootstrap fetches with wget, which knows nothing of apt's proxies.
if [ -s "$inputs/wgetrc" ]; then
    export WGETRC="$inputs/wgetrc"
fi
set -- --variant=minbase --cache-dir="$debs"
if [ -n "$keyring" ]; then
    set -- "$@" --keyring="$inputs/$keyring"
fi
if [ "$trusted" = yes ]; then
    set -- "$@" --no-check-gpg
fi
debootstrap "$@" bookworm "$root" "$mirror"
# Whatever debootstrap wrote down about the mirror stays out of the layer.
: > "$root/etc/apt/sources.list"
: > "$root/etc/resolv.conf"
echo localhost > "$root/etc/hostname"
rm -f "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*_* "$root/var/log/bootstrap.log"
