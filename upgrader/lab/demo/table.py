"""The demonstration's result: tables for people, and the document upgrader.demo/1 (docs/json.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from upgrader.lab.demo.acts import ACTS
from upgrader.lab.demo.figures import Figures, Outage, Verified

HEAD = ("stage", "result", "time, s", "longest outage", "databases back, s")


def document(lab: str, instances: int, found: Sequence[Figures], code: int) -> dict[str, Any]:
    """Schema ``upgrader.demo/1``."""
    return {
        "schema": "upgrader.demo/1",
        "lab": lab,
        "instances": instances,
        "exit_code": code,
        "stages": [{"name": act.name, **_stage(one)} for act, one in zip(ACTS, found, strict=False)],
    }


def _stage(one: Figures) -> dict[str, Any]:
    outages = {name: {"down_seconds": said.down, "longest_seconds": said.longest} for name, said in one.outages.items()}
    return {
        "stage": one.stage,
        "run": one.run,
        "state": one.state,
        "reason": one.reason,
        "seconds": round(one.seconds, 1),
        "apis": outages,
        "not_watched_seconds": one.not_watched,
        "databases_back_seconds": None if one.databases_back is None else round(one.databases_back, 1),
        "verified": [{"what": it.what, "found": it.found, "expected": it.expected} for it in one.verified],
    }


def text(lab: str, instances: int, found: Sequence[Figures]) -> str:
    """What each act took; how long each API was away in it; what it found where it looked, and of how many that had to be there."""
    named = [(act.name, one) for act, one in zip(ACTS, found, strict=False)]
    away = {name: {api: f"{it.down:.1f}" for api, it in one.outages.items()} for name, one in named}
    held = {name: {it.what: _number(it) for it in one.verified} for name, one in named}
    parts = [
        f"Demonstration in lab {lab}, {instances} instances",
        _table(HEAD, [_row(name, one) for name, one in named]),
        _beside("API away, s", away),
        _beside("found", held),
        *(f"{name}: {one.not_watched:.1f} s were not watched" for name, one in named if one.not_watched),
    ]
    return "\n\n".join(part for part in parts if part)


def _row(name: str, one: Figures) -> tuple[str, ...]:
    back = "" if one.databases_back is None else f"{one.databases_back:.1f}"
    return name, one.state, f"{one.seconds:.1f}", _longest(one.outages), back


def _longest(outages: Mapping[str, Outage]) -> str:
    if not outages:
        return ""
    name = max(outages, key=lambda api: outages[api].down)
    return f"{outages[name].down:.1f} s, {name}"


def _number(one: Verified) -> str:
    """There may be more than there were: services that Ocata adds."""
    return str(one.found) if one.found == one.expected else f"{one.found}, before {one.expected}"


def _beside(head: str, columns: Mapping[str, Mapping[str, str]]) -> str:
    """A column for each act that has anything to say, a row for each thing that is said."""
    full = {name: rows for name, rows in columns.items() if rows}
    things = dict.fromkeys(thing for rows in full.values() for thing in rows)
    return _table((head, *full), [(thing, *(rows.get(thing, "") for rows in full.values())) for thing in things])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, head, tablefmt="simple", disable_numparse=True) if rows else ""
