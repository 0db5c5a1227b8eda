"""A file of a node's disk, and the texts that several kinds of nodes have."""

from __future__ import annotations

from dataclasses import dataclass

WANTS = "etc/systemd/system/multi-user.target.wants"
# Every name of a lab is in every node's hosts file: libc asks nobody else.
NAMES = """passwd:     files
group:      files
shadow:     files
gshadow:    files
hosts:      files
networks:   files
protocols:  files
services:   files
"""
RESOLVER = """[Unit]
Description=Name server of this node, which knows no name
After=lab-network.service
[Service]
ExecStart=/usr/bin/python3 /usr/local/sbin/lab-resolver
Restart=always
"""
# A minion that finds its master again at once.
MINION = {
    "acceptance_wait_time": 1,
    "random_reauth_delay": 1,
    "recon_default": 100,
    "recon_max": 500,
    "enable_fqdns_grains": False,
    "enable_gpu_grains": False,
    "log_level": "warning",
    "log_level_logfile": "warning",
}


@dataclass(frozen=True)
class NodeFile:
    """A file's text and mode, or where a symbolic link points to."""

    text: str = ""
    mode: int = 0o644
    link: str = ""


# systemd 252 holds every mount back while it is told of many mounts at once (/proc/self/mountinfo is rate limited), and may forget to
# go on: on a busy machine a node stood half booted until `systemctl daemon-reload`. None of these is needed in a container.
MOUNTS = (
    "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount", "var-lib-machines.mount", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount",
)  # fmt: skip


def without_mounts() -> dict[str, NodeFile]:
    """Those mounts switched off."""
    return {f"etc/systemd/system/{unit}": NodeFile(link="/dev/null") for unit in MOUNTS}
