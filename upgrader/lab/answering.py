"""The proof that Salt answers: every minion is connected, and says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from upgrader.lab.contents import site_salt, sshd
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import wait_until
from upgrader.lab.narrator import Narrator
from upgrader.lab.topology import NodePlan, Topology

BOOT_SECONDS = 120
ESTABLISHED = "01"


def wait_for_salt(topology: Topology, nodes: Mapping[str, Node], narrator: Narrator) -> None:
    """Returns when every minion has answered the master, and in a site those of the site's Salt theirs.

    A virtual machine that is off is somebody's wish, and not waited for.
    """
    if topology.master is None:
        return
    master = nodes[topology.master.name]
    if topology.by_ssh:
        _wait_for_sshd(master, topology.by_ssh, narrator)
        return
    _wait_for_minions(OURS, master, [plan for plan in topology.minions if nodes[plan.name].running], narrator)
    if topology.site_minions:
        _wait_for_minions(THE_SITES, master, topology.site_minions, narrator)


def _wait_for_sshd(master: Node, plans: Sequence[NodePlan], narrator: Narrator) -> None:
    """Every node takes the tool's key, and has the host key that was written down."""
    waiting = {plan.minion_id for plan in plans}
    last = ["no answer"]

    def lets_in(node: str) -> bool:
        done = master.run([*sshd.COMMAND, f"root@{node}", "true"], check=False, timeout=BOOT_SECONDS)
        last[0] = done.stderr.strip()[-300:]
        return done.returncode == 0

    def all_let_in() -> bool:
        waiting.difference_update([node for node in sorted(waiting) if lets_in(node)])
        return not waiting

    with narrator.doing(f"Waiting for sshd on {', '.join(plan.name for plan in plans)}"):
        wait_until(all_let_in, BOOT_SECONDS, "sshd of every node", lambda: f"{', '.join(sorted(waiting))}: {last[0]}")


@dataclass(frozen=True)
class _Door:
    """One Salt: its name, the command that asks its minions, and where its master publishes."""

    title: str
    command: str
    port: int


OURS = _Door("Salt", "salt", 4505)
THE_SITES = _Door("the site's Salt", "site-salt", site_salt.PUBLISH_PORT)


def _wait_for_minions(door: _Door, master: Node, minions: Sequence[NodePlan], narrator: Narrator) -> None:
    expected = {plan.minion_id for plan in minions}
    with narrator.doing(f"Waiting for {door.title} on {', '.join(plan.name for plan in minions)}"):
        wait_until(
            lambda: _connected(master, door) >= len(expected),
            BOOT_SECONDS,
            f"{len(expected)} minions to connect to {door.title} on {master.name}",
            lambda: f"{_connected(master, door)} connections",
        )
        seen: list[str] = ["no answer"]
        wait_until(
            lambda: _answers(master, door, expected, seen), BOOT_SECONDS, "an answer of every minion", lambda: seen[0]
        )


def _connected(master: Node, door: _Door) -> int:
    """Minions that listen to the master's publisher: connected ones have authenticated."""
    lines = Path(f"/proc/{master.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ports = [(int(words[1].rpartition(":")[2], 16), words[3]) for words in map(str.split, lines)]
    return sum(1 for port, state in ports if port == door.port and state == ESTABLISHED)


def _answers(master: Node, door: _Door, expected: set[str], seen: list[str]) -> bool:
    command = [door.command, "--static", "--out=json", "--timeout=5", "-L", ",".join(sorted(expected)), "test.ping"]
    done = master.run(command, check=False, timeout=BOOT_SECONDS)
    try:
        answered = {name for name, value in json.loads(done.stdout).items() if value is True}
    except ValueError:
        answered = set()
    silent = sorted(expected - answered)
    seen[0] = f"no answer from {', '.join(silent)} ({done.stderr.strip()[-300:]})" if silent else "all answered"
    return not silent
