"""What the run of one act says in figures: times, outages, what was found. Pure; from the document upgrader.run/1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DONE = "done"
DATABASES_BACK = ("member-stop", "member-aside", "member-found")
"""From the stop of the members that went on until the cluster serves again from the one that was kept."""

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Outage:
    """How long an API did not answer, in seconds: all of it, and the longest time at a stretch."""

    down: float
    longest: float


@dataclass(frozen=True)
class Verified:
    """How many of something were found, and how many had to be there."""

    what: str
    found: int
    expected: int


@dataclass(frozen=True)
class Figures:
    """``seconds`` is what the steps took, without the time between two attempts; ``databases_back`` None where nothing went back.

    ``not_watched``: seconds in which no prober lived, and so outages may be longer.
    """

    run: str
    stage: str
    state: str
    reason: str
    seconds: float
    outages: Mapping[str, Outage]
    not_watched: float
    databases_back: float | None
    verified: tuple[Verified, ...]


def figures(run: Run) -> Figures:
    """All of one run."""
    done = {step["id"]: step["seconds"] for step in run["steps"] if step["state"] == DONE}
    back = [done[step] for step in DATABASES_BACK if step in done]
    watched = list(_answers(run, "watch-end"))
    return Figures(
        run["run"], run["stage"], run["state"], run["reason"],
        run["seconds"],
        {name: Outage(said["down_seconds"], said["longest_seconds"]) for one in watched for name, said in one["targets"].items()},
        sum(gap["seconds"] for one in watched for gap in one.get("not_watched") or ()),
        sum(back) if len(back) == len(DATABASES_BACK) else None,
        tuple(_verified(run)),
    )  # fmt: skip


def _answers(run: Run, step: str) -> Iterator[Mapping[str, Any]]:
    """What the nodes of a step answered well."""
    replies = (reply for one in run["steps"] if one["id"] == step for reply in one["replies"].values())
    return (reply["value"] for reply in replies if reply["ok"] and isinstance(reply["value"], Mapping))


def _verified(run: Run) -> Iterator[Verified]:
    """The lists that were compared by id, the server that was made, the objects that are as they were, the members of the cluster."""
    for value in _answers(run, "verify-cloud"):
        compared = [call for call in value["calls"] if call["expected"] is not None]
        yield from (Verified(call["call"], call["found"], call["expected"]) for call in compared)
    for value in _answers(run, "verify-server"):
        yield Verified(f"server made on {value['host']}", 1, 1)
    for value in _answers(run, "verify-objects"):
        yield from (Verified(kind, number, number) for kind, number in value["counts"].items())
    members = [len(step["nodes"]) for step in run["steps"] if step["id"] == "member-verify" and step["state"] == DONE]
    yield from (Verified("database members", len(list(_answers(run, "member-verify"))), number) for number in members)
