"""What a node is before it joins, judged: is there room, a glibc and an init that our Salt can live with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upgrader.beside.paths import ROOT
from upgrader.beside.site_salt import FIRST_SECONDS, NO_SHELL, SiteSalt

OLDEST_GLIBC = (2, 17)
"""Salt's onedir is built against it (Salt's install guide, "onedir")."""
INITS = ("systemd", "upstart")
MIB = 1 << 20
SPARE = 200 * MIB
_GLIBC = re.compile(r"(\d+)\.(\d+)\s*$")


@dataclass(frozen=True)
class NodeFacts:
    """One node as the site's Salt describes it; ``lacks`` are sentences, empty when it can join."""

    node: str
    salt: str
    python: str
    system: str
    init: str
    masters: tuple[str, ...]
    lacks: tuple[str, ...] = ()


def ask_nodes(site: SiteSalt, nodes: Sequence[str], needed: int) -> dict[str, NodeFacts | None]:
    """Node -> facts, or None for a silent one. ``needed``: bytes that the archive and what is in it take."""
    wanted = ("init", "osfullname", "osrelease", "osarch", "saltversion", "pythonversion")
    grains = site.call(nodes, "grains.item", *wanted, timeout=FIRST_SECONDS)
    awake = [node for node in nodes if node in grains]
    glibc = site.call(awake, "cmd.run_stdout", "getconf GNU_LIBC_VERSION", NO_SHELL)
    room = site.call(awake, "cmd.run_stdout", f"df -Pk {ROOT.parent}", NO_SHELL)
    masters = site.call(awake, "config.get", "master")
    return {
        node: judged(node, grains[node], glibc.get(node), room.get(node), masters.get(node), needed)
        if node in grains
        else None
        for node in nodes
    }


def judged(node: str, grains: Any, glibc: Any, room: Any, master: Any, needed: int) -> NodeFacts:
    """One node's answers as facts, with what stands against its joining."""
    held: Mapping[str, Any] = grains if isinstance(grains, Mapping) else {}
    init = str(held.get("init") or "unknown")
    masters = tuple(map(str, master)) if isinstance(master, list) else ((str(master),) if master else ())
    lacks = [*_library(glibc), *_room(room, needed)]
    if init not in INITS:
        lacks.append(f"its init is {init}, and only {' and '.join(INITS)} are known here")
    if not masters:
        lacks.append("its site's minion does not say which master it has")
    system = " ".join(str(held.get(key, "?")) for key in ("osfullname", "osrelease", "osarch"))
    python = ".".join(str(part) for part in (held.get("pythonversion") or [])[:3]) or "?"
    return NodeFacts(node, str(held.get("saltversion", "?")), python, system, init, masters, tuple(lacks))


def _library(said: Any) -> list[str]:
    found = _GLIBC.search(str(said or "").strip())
    if not found:
        return ["it does not say which glibc it has (getconf GNU_LIBC_VERSION)"]
    if (int(found.group(1)), int(found.group(2))) >= OLDEST_GLIBC:
        return []
    return [
        f"its glibc is {found.group(0).strip()}, and Salt's own build needs {OLDEST_GLIBC[0]}.{OLDEST_GLIBC[1]} or newer"
    ]


def _room(said: Any, needed: int) -> list[str]:
    """By ``df -Pk``: the fourth column of the last line."""
    words = (str(said or "").strip().splitlines() or [""])[-1].split()
    if len(words) < 6 or not words[3].isdigit():
        return [f"it does not say how much room there is in {ROOT.parent}"]
    free, wanted = int(words[3]) * 1024, needed + SPARE
    if free >= wanted:
        return []
    return [f"{ROOT.parent} has {free // MIB} MiB free, and {-(-wanted // MIB)} MiB are needed"]
