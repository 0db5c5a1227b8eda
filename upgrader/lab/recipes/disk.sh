#!/bin/sh
# A disk as one file: the merged tree of layers in a file system of its own, sparse, on the host's disk when this ends. Runs in a
# mount namespace of its own.
#   disk.sh IMAGE LOWERDIRS FREE_MEGABYTES
set -eu
image=$1 lower=$2 free=$3
tree=$(mktemp -d /dev/shm/upgrader-disk-XXXXXX)
trap 'umount "$tree" 2>/dev/null || true; rmdir "$tree"' EXIT
mount -t overlay overlay -o "ro,lowerdir=$lower,index=off,metacopy=off,redirect_dir=follow" "$tree"
held=$(du -s -m --apparent-size "$tree" | cut -f 1)
# A block is the least that a file takes, and so is an inode.
held=$((held + $(find "$tree" | wc -l) / 256))
rm -f "$image"
truncate -s "$((held + free))M" "$image"
chmod 0600 "$image"
mkfs.ext4 -q -F -m 0 -d "$tree" "$image"
sync "$image"
