"""The machines of a roster, as Salt's own roster module reads it, and what has to be in it before anybody is asked anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upgrader.errors import UsageError

TRIED = 10
"""Seconds for one connection where the roster says no ``timeout``."""

THIN = "/var/lib/upgrader-thin"
"""Where Salt is laid on a machine of which the roster says no ``thin_dir``: not in /var/tmp, where everybody may make folders."""


@dataclass(frozen=True)
class Host:
    """One machine: where it is, who logs in with which key, and where Salt lies there (salt-ssh's ``thin_dir``)."""

    node: str
    address: str
    port: int
    user: str
    key: str
    sudo: bool
    thin: str
    path: str = ""
    seconds: int = TRIED


def hosts_of(opts: Mapping[str, Any], roster: Path) -> dict[str, Host]:
    """Every machine of a roster, by its id. Raises UsageError for a roster that cannot be read, or one that pins nothing down."""
    from salt.roster import Roster

    if not roster.is_file():
        raise UsageError(f"there is no roster at {roster}: write one, or correct roster of salt_ssh")
    usual = opts.get("roster_defaults") or {}
    try:
        found = Roster({**opts, "roster_file": str(roster)}, "flat").targets("*", "glob")
    except (TypeError, ValueError, LookupError, AttributeError):  # what Salt meets where it expects a mapping
        found = {}
    if not found:
        raise UsageError(
            f"roster {roster} names no machine, or Salt cannot read it: try 'salt-ssh --roster-file {roster} -H'"
        )
    return {str(node): _host(str(node), {**usual, **said}, roster) for node, said in found.items()}


def _host(node: str, said: Mapping[str, Any], roster: Path) -> Host:
    if said.get("passwd"):
        raise UsageError(
            f"roster {roster} gives {node} a password, with which salt-ssh takes any host key: give it priv, the file of a key"
        )
    if "/" in node or node.startswith("."):
        raise UsageError(
            f"roster {roster} has machine {node!r}, which is no id that a folder can be named after: rename it"
        )
    for name in ("host", "priv"):
        if not isinstance(said.get(name), str) or not said[name]:
            raise UsageError(
                f"roster {roster} gives {node} no {name}: each machine needs host and priv, the file of a key"
            )
    user = str(said.get("user", "root"))
    return Host(
        node, said["host"], _number(said, "port", 22, node, roster), user, said["priv"], bool(said.get("sudo")),
        str(said.get("thin_dir") or THIN), str(said.get("set_path") or ""),
        _number(said, "timeout", TRIED, node, roster),
    )  # fmt: skip


def _number(said: Mapping[str, Any], name: str, otherwise: int, node: str, roster: Path) -> int:
    try:
        return int(said.get(name, otherwise))
    except (TypeError, ValueError):
        raise UsageError(f"roster {roster} gives {node} a {name} that is no number") from None
