"""Founds the lab's Galera cluster and lets its nodes join; after a crash of all nodes, founds it again from the first."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql

from upgrader.errors import LabError
from upgrader.lab.contents import databases
from upgrader.lab.machine.node import Node, node_environment
from upgrader.lab.machine.process import wait_until
from upgrader.lab.narrator import Narrator

JOIN_SECONDS = 120
DATADIR = "/var/lib/mysql"
STATE = f"{DATADIR}/grastate.dat"
KEPT = f"{DATADIR}.kept-*.json"
STANDS_STILL = ("intended", "kept")
# What belongs to one server and is no part of the data.
OWN = ("galera.cache", "gvwstate.dat", "*.pid", "ib_buffer_pool")


def form(nodes: Sequence[Node], narrator: Narrator) -> None:
    """Returns when every node is a synced member; nodes that are one already are left alone, and so is a member that a run keeps."""
    for node in nodes:
        wait_until(lambda node=node: _listens(node), JOIN_SECONDS, f"systemd on {node.name}")  # type: ignore[misc]
    nodes = [node for node in nodes if not is_kept(node.root)]
    dead = [node for node in nodes if not _serves(node)]
    if not dead:
        return
    with narrator.doing(f"Forming the Galera cluster of {', '.join(node.name for node in nodes)}"):
        if len(dead) == len(nodes):
            _found(nodes)
            dead = dead[1:]
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(lambda node: node.run(["systemctl", "start", "mariadb.service"], timeout=JOIN_SECONDS), dead))
            list(pool.map(lambda node: node.run(["systemctl", "enable", "--quiet", "mariadb.service"]), nodes))
        for node in nodes:
            wait_until(lambda node=node: _state(node) == "Synced", JOIN_SECONDS, f"{node.name} to be synced")  # type: ignore[misc]


def _found(nodes: Sequence[Node]) -> None:
    """The first node founds the cluster. At the very first time it does so twice: the others get its files in between,
    with its position in them, and need no state transfer (which takes Galera eleven seconds for each node)."""
    founder, others = nodes[0], [node for node in nodes[1:] if not node.run(["ls", STATE], check=False).stdout]
    if others:
        founder.run(["galera_new_cluster"], timeout=JOIN_SECONDS)
        founder.run(["systemctl", "stop", "mariadb.service"], timeout=JOIN_SECONDS)
        for node in others:
            _copy_data(founder, node)
    founder.run(["sed", "-i", "s/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/", STATE])
    founder.run(["galera_new_cluster"], timeout=JOIN_SECONDS)


def _copy_data(source: Node, target: Node) -> None:
    target.run(["find", DATADIR, "-mindepth", "1", "-delete"])
    reading = ["tar", "-C", DATADIR, "-cS", *(f"--exclude=./{name}" for name in OWN), "."]
    reader = subprocess.Popen(source.command(reading), stdout=subprocess.PIPE, env=node_environment())
    done = subprocess.run(
        target.command(["tar", "-C", DATADIR, "-xS"]), stdin=reader.stdout, env=node_environment(), check=False
    )
    if reader.wait() != 0 or done.returncode != 0:
        raise LabError(
            f"The database files of {source.name} could not be copied to {target.name}; run the command again."
        )


def is_kept(root: Path) -> bool:
    """Whether a run keeps the member whose files are below ``root``: to start it would lose that run's way back."""
    receipts = (root / KEPT.lstrip("/")).parent.glob(Path(KEPT).name)
    return any(json.loads(path.read_text(encoding="utf-8"))["state"] in STANDS_STILL for path in receipts)


def _listens(node: Node) -> bool:
    """Whether the node's systemd takes orders: it does not in the first moments of a boot."""
    return node.run(["systemctl", "show", "--property=Version"], check=False).returncode == 0


def _serves(node: Node) -> bool:
    return _state(node) == "Synced"


def _state(node: Node) -> str:
    """What the node says of itself; nothing when it does not answer."""
    try:
        connection = databases.connect(node)
    except (pymysql.err.OperationalError, FileNotFoundError):
        return ""
    with connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'wsrep_local_state_comment'")
        row = cursor.fetchone()
        return str(row[1]) if row else ""
