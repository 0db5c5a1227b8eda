#!/bin/sh
# Starts one node. Runs in the lab's network namespace and in a mount namespace of its own: the overlay is mounted here
# alone, so it ends with the node and the host never sees it.
#   node.sh NAME FOLDER LOWERDIRS CGROUP BRIDGE MACHINE_ID [NSPAWN_OPTION...] --boot|INIT
# CGROUP is created below every writable hierarchy that systemd manages, PLACES are made already: two nodes must never share one.
set -eu
name=$1 folder=$2 lower=$3 cgroup=$4 bridge=$5 machine_id=$6
shift 6
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work,index=off,metacopy=off,redirect_dir=on,volatile" "$folder/root"
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -w "$hierarchy/cgroup.procs" ]; then
        mkdir -p "$hierarchy/$cgroup"
        echo $$ > "$hierarchy/$cgroup/cgroup.procs"
    fi
done
for place in ${PLACES:-}; do
    echo $$ > "$place/cgroup.procs"
done
# Of a node that was killed the kernel takes its end of the wire away when it gets round to it, not at once.
ip link delete "vb-$name" 2>/dev/null || true
# nspawn keeps sockets and locks by machine name: two labs have nodes of one name.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
exec systemd-nspawn --quiet --directory="$folder/root" --machine="$name" --hostname="$name" --uuid="$machine_id" \
    --register=no --keep-unit --network-bridge="$bridge" --resolv-conf=off --timezone=off --link-journal=no \
    --settings=no --console=read-only "$@"
