"""States that put our minion on a node and take it away, as the data that ``state.high`` of the site's Salt applies.

Each looks at the world first, so all of them may be applied again after any interruption. Nothing in them is secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from upgrader.beside.bundle import Bundle
from upgrader.beside.nodes import NodeFacts
from upgrader.beside.paths import CONFIG, MINION_UNIT, PKI, PROGRAMS, RETURN_PORT, ROOT, unit_path, unit_text

High = dict[str, dict[str, Any]]
State = tuple[str, str, str, Mapping[str, Any]]
"""Name, state module, function, arguments."""
PREFIX = "upgrader_beside_"


def present(facts: NodeFacts, bundle: Bundle, url: str, master_key: str) -> High:
    """Our minion runs on this node, with the Salt of this archive, and trusts the master of this key and no other."""
    folder, archive = ROOT / bundle.name, ROOT / f"{bundle.name}.tar"
    unit = unit_path(MINION_UNIT, facts.init)
    there = f"{folder}/bin/python3"
    unpack = f"rm -rf {folder}.new && mkdir {folder}.new && tar -xf {archive} --strip-components=1 -C {folder}.new && mv {folder}.new {folder}"
    config = {
        "id": facts.node,
        "master": list(facts.masters) if len(facts.masters) > 1 else facts.masters[0],
        "master_port": RETURN_PORT,
        "root_dir": str(ROOT),
    }
    states: list[State] = [
        ("root", "file", "directory", {"name": str(ROOT), "mode": "0755"}),
        ("archive", "file", "managed", {"name": str(archive), "source": url, "source_hash": f"sha256={bundle.sha256}", "unless": f"test -e {there}"}),
        ("unpacked", "cmd", "run", {"name": unpack, "creates": there}),
        ("archive_gone", "file", "absent", {"name": str(archive)}),
        ("programs", "file", "symlink", {"name": str(PROGRAMS), "target": str(folder), "force": True}),
        ("config", "file", "managed", {"name": f"{CONFIG}/minion", "contents": json.dumps(config, indent=2, sort_keys=True), "makedirs": True}),
        ("pki", "file", "directory", {"name": f"{PKI}/minion", "mode": "0700", "makedirs": True}),
        ("master_key", "file", "managed", {"name": f"{PKI}/minion/minion_master.pub", "contents": master_key}),
        ("unit", "file", "managed", {"name": str(unit), "contents": unit_text("minion", f"{bundle.programs}salt-minion", facts.init)}),
        *_reloaded(facts.init),
        ("service", "service", "running", {"name": MINION_UNIT, "enable": True, "watch": _these("programs", "config", "master_key", "unit")}),
    ]  # fmt: skip
    return high(states)


def absent(init: str) -> High:
    """Nothing of our Salt is on the node any more. Where our master runs, its folder goes with the master."""
    unit = unit_path(MINION_UNIT, init)
    return high(
        [
            ("service", "service", "dead", {"name": MINION_UNIT, "enable": False}),
            ("unit", "file", "absent", {"name": str(unit)}),
            *_reloaded(init),
            ("config", "file", "absent", {"name": f"{CONFIG}/minion"}),
            ("root", "file", "absent", {"name": str(ROOT), "unless": f"test -e {CONFIG}/master"}),
        ]
    )


def _reloaded(init: str) -> list[State]:
    if init != "systemd":
        return []
    return [("reloaded", "module", "run", {"name": "service.systemctl_reload", "onchanges": _these("unit")})]


def _these(*names: str) -> list[dict[str, str]]:
    return [{"file": PREFIX + name} for name in names]


def high(states: Sequence[State]) -> High:
    """Salt's high data. The order is said in each state, each requires the one before, and a failure stops what follows."""
    made: High = {}
    for order, (name, state, function, arguments) in enumerate(states, 1):
        before = states[order - 2]
        require = [{"require": [{before[1]: PREFIX + before[0]}]}] if order > 1 else []
        more = [{key: value} for key, value in arguments.items()]
        # Salt 2017.7 asks a state that it passes over which SLS it came from.
        made[PREFIX + name] = {
            state: [function, *more, {"order": order}, *require],
            "__sls__": "upgrader",
            "__env__": "base",
        }
    return made
