#!/bin/sh
# Builds one layer. Runs in a mount and a process namespace of its own: whatever ends this script ends every mount and
# every process of the build with it.
#   build.sh PARTIAL LOWERDIRS INPUTS APT_CACHE PIP_CACHE [HOST_DIRECTORY...]
# PARTIAL/fs becomes the layer; each HOST_DIRECTORY (a local package index) is shown read-only under its own path.
set -eu
partial=$1 lower=$2 inputs=$3 debs=$4 wheels=$5
shift 5
root=$partial/root
mkdir -p "$partial/fs" "$partial/work" "$root"
chmod 0755 "$partial/fs" "$root"
# volatile: nothing is synced while building; the builder syncs once before it gives the layer its name.
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$partial/fs,workdir=$partial/work,index=off,metacopy=off,redirect_dir=off,volatile" "$root"

if [ -x "$inputs/bootstrap.sh" ]; then
    "$inputs/bootstrap.sh" "$root" "$debs" "$inputs"
fi

mkdir -p "$root/proc" "$root/run" "$root/tmp" "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mkdir -p "$root/run/lock" "$root/run/lab-build/lists/partial" "$root/run/lab-build/debs/partial" "$root/run/lab-build/wheels"
chmod 0700 "$root/run/lab-build"
cp -r "$inputs/." "$root/run/lab-build/"
mount --bind "$debs" "$root/run/lab-build/debs"
mount --bind "$wheels" "$root/run/lab-build/wheels"

made=""
bound=""
for directory in "$@"; do
    missing=$directory
    while [ ! -d "$root$missing" ]; do
        made="$made $missing"
        missing=$(dirname "$missing")
    done
    mkdir -p "$root$directory"
    mount --bind -o ro "$directory" "$root$directory"
    bound="$bound $directory"
done

# The chroot needs the host's names while it builds; the layer does not.
if [ -e "$root/etc/resolv.conf" ]; then
    mount --bind "$inputs/resolv.conf" "$root/etc/resolv.conf"
fi

chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    DEBIAN_FRONTEND=noninteractive APT_CONFIG=/run/lab-build/apt.conf PIP_CONFIG_FILE=/run/lab-build/pip.conf \
    bash -euo pipefail /run/lab-build/recipe.sh

for directory in $bound; do umount "$root$directory"; done
for directory in $made; do rmdir "$root$directory" 2>/dev/null || true; done
