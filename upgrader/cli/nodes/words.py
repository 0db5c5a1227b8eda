"""The words of ``upgrader data-plane``, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from upgrader.errors import UsageError
from upgrader.journal.rollouts import ALL, ROLLBACK, SAMPLE, TEST
from upgrader.plan.amounts import amount

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
USED_BY: Mapping[str, tuple[str, ...]] = {
    "test_nodes": (TEST,),
    "sample": (SAMPLE,),
    "allow": (SAMPLE, ALL),
    "evacuate": (SAMPLE, ALL, ROLLBACK),
    "run": (ROLLBACK,),
}
"""Which stages an option is for, where it is not for all of them. Without a stage all that are next may use it."""


@dataclass(frozen=True)
class Words:
    """What the operator asks for. ``stage`` "" is whatever comes next; ``approve_within`` are seconds."""

    target: str
    stage: str = ""
    test_nodes: str = ""
    sample: str = "1"
    batch: int | str = "10%"
    max_failures: int | str = 0
    approve_within: int = 7200
    include: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    repair_dvr_routes: bool = False
    evacuate: bool = False
    restart_openvswitch: bool = False
    beyond: str = ""
    instances: tuple[str, ...] = ()
    run: str = ""
    restart: bool = False
    dry_run: bool = False
    yes: bool = False
    wait: bool = False
    output: str = "text"


def read(stage: str, given: Mapping[str, Any]) -> Words:
    """The words as click gives them. Raises UsageError for one that the stage has no use for, or that is no amount or time."""
    for word, stages in USED_BY.items():
        if stage and given.get(word) and stage not in stages:
            raise UsageError(f"--{word.replace('_', '-')} is for {' and '.join(stages)}; {stage} has no use for it")
    words = {
        **given,
        "stage": stage,
        **{name: _names(given.get(name) or ()) for name in ("include", "allow", "instances")},
    }
    if words["restart_openvswitch"] and "openvswitch" not in " ".join(words["include"]):
        raise UsageError(
            "--restart-openvswitch is for an Open vSwitch whose package changes: give --include openvswitch, too"
        )
    return Words(
        **{
            **words,
            "sample": given.get("sample") or "1",
            "test_nodes": given.get("test_nodes") or "",
            "run": given.get("run") or "",
            "beyond": _address(given.get("beyond") or ""),
            "batch": amount(given.get("batch") or "10%", "--batch"),
            "max_failures": amount(
                given.get("max_failures") or ("100%" if stage == ROLLBACK else "0"), "--max-failures"
            ),
            "approve_within": seconds(given.get("approve_within") or "2h"),
        }
    )


def _address(said: str) -> str:
    try:
        return str(IPv4Address(said)) if said else ""
    except ValueError:
        raise UsageError(f"--beyond is {said!r}: give an IPv4 address behind the external network") from None


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in given for name in one.split(",") if name))


def seconds(said: str) -> int:
    """``2h``, ``90m``, ``30s``. Raises UsageError for anything else."""
    found = re.fullmatch(r"(\d+)([smhd]?)", said.strip())
    if not found or not int(found[1]):
        raise UsageError(f"--approve-within is {said!r}: give a time such as 2h or 90m")
    return int(found[1]) * UNITS[found[2]]
