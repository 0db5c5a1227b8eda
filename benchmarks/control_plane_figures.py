"""What the two orders took, side by side: from the prober's summaries to tables and ratios over all rounds. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from tabulate import tabulate

AWAY_TARGET, BACK_TARGET = 0.25, 0.20
BACK_SECONDS, DATABASES_SECONDS = 60.0, 10.0
LEAST = 1.0
"""Steps that took less, in seconds, are not shown."""
INSTALLED = "install"
"""How the reference's steps begin that a base image with the code would save it."""


@dataclass(frozen=True)
class Way:
    """One order, one direction. ``away`` is seconds by API, ``seconds`` all of it, ``databases`` the databases' part of a way back."""

    away: Mapping[str, float]
    seconds: float
    databases: float | None = None
    steps: Mapping[str, float] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        """Until the last API was back."""
        return max(self.away.values())

    @property
    def installing(self) -> float:
        return sum(seconds for step, seconds in self.steps.items() if step.startswith(INSTALLED))


@dataclass(frozen=True)
class Round:
    """Both orders there and back, in the same lab one after the other."""

    ours: Way
    ours_back: Way
    reference: Way
    reference_back: Way


@dataclass(frozen=True)
class Line:
    """One comparison over all rounds. Without the reference's side ``target`` is seconds, else a ratio; None: none was set."""

    what: str
    ours: tuple[float, ...]
    reference: tuple[float, ...] = ()
    target: float | None = None

    @property
    def judged(self) -> tuple[float, ...]:
        if not self.reference:
            return self.ours
        return tuple(mine / theirs for mine, theirs in zip(self.ours, self.reference, strict=True))

    @property
    def met(self) -> bool:
        """In every round."""
        return self.target is None or max(self.judged) <= self.target

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "none"
        unit = "" if self.reference else " s"
        return f"<= {self.target:g}{unit}: {'met' if self.met else '**missed**'}"


def away(summary: Mapping[str, Any]) -> dict[str, float]:
    """Of each target, the seconds from its first question without an answer until it answered for good; 0 where none failed.

    Raises ValueError when nobody watched for a while, and for a target that does not answer at the end: neither may count.
    """
    if summary["not_watched"]:
        raise ValueError(f"the prober did not live all the time: {summary['not_watched']}")
    return {name: _span(name, told["outages"]) for name, told in summary["targets"].items()}


def _span(name: str, outages: Sequence[Mapping[str, Any]]) -> float:
    if not outages:
        return 0.0
    if not all(one["ended"] for one in outages):
        raise ValueError(f"{name} does not answer at the end")
    begins = [_moment(one["from"]) for one in outages]
    return round(max(at + one["seconds"] for at, one in zip(begins, outages, strict=True)) - min(begins), 1)


def _moment(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


def lines(rounds: Sequence[Round], loaded: bool) -> list[Line]:
    """Everything that is compared; with ``loaded`` databases the seconds that were promised for them, too."""

    def both(what: str, take: Callable[[Way], float], back: bool, target: float | None = None) -> Line:
        mine = tuple(take(one.ours_back if back else one.ours) for one in rounds)
        theirs = tuple(take(one.reference_back if back else one.reference) for one in rounds)
        return Line(what, mine, theirs, target)

    databases = tuple(one.ours_back.databases or 0.0 for one in rounds)
    found = [
        both("upgrade: until the last API is back", lambda way: way.longest, False, AWAY_TARGET),
        both("the same, the reference's installation not counted", lambda way: way.longest - way.installing, False),
        *(both(f"upgrade: {api}", lambda way, api=api: way.away[api], False) for api in sorted(rounds[0].ours.away)),  # type: ignore[misc]
        both("upgrade: the whole run", lambda way: way.seconds, False),
        both("rollback: until the last API is back", lambda way: way.longest, True, BACK_TARGET),
        both("rollback: the whole run", lambda way: way.seconds, True, BACK_TARGET),
        both("rollback: databases", lambda way: way.databases or 0.0, True),
    ]
    if loaded:
        found += [
            Line("rollback: until the last API is back", tuple(one.ours_back.longest for one in rounds), (), BACK_SECONDS),
            Line("rollback: the whole run", tuple(one.ours_back.seconds for one in rounds), (), BACK_SECONDS),
            Line("rollback: databases", databases, (), DATABASES_SECONDS),
        ]  # fmt: skip
    return found


def of_round(number: int, one: Round) -> str:
    """What one round took: each API, the whole, and the steps of the reference's order."""
    ways = (one.ours, one.reference, one.ours_back, one.reference_back)
    head = (f"round {number}, s", "upgrade, ours", "reference", "rollback, ours", "reference")
    rows = [(api, *(f"{way.away[api]:.1f}" for way in ways)) for api in sorted(one.ours.away)]
    rows.append(("the whole run", *(f"{way.seconds:.1f}" for way in ways)))
    rows.append(("databases", *("" if way.databases is None else f"{way.databases:.1f}" for way in ways)))
    return f"{_table(head, rows)}\n\n{_steps(one.reference)}\n\n{_steps(one.reference_back)}"


def _steps(way: Way) -> str:
    rows = [(step, f"{seconds:.1f}") for step, seconds in way.steps.items() if seconds >= LEAST]
    return _table(("the reference's order", "s"), rows)


def over_all(found: Sequence[Line]) -> str:
    """Smallest, median and largest of each comparison."""
    head = ("what", "ours, s", "reference's order, s", "ratio", "target")
    return _table(
        head,
        [
            (one.what, _three(one.ours, 1), _three(one.reference, 1), _three(one.judged, 2) if one.reference else "", one.verdict)
            for one in found
        ],
    )  # fmt: skip


def _three(values: Sequence[float], digits: int) -> str:
    """``median (smallest to largest)``; one value alone."""
    if not values:
        return ""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, head, tablefmt="github", disable_numparse=True)


def document(rounds: Sequence[Round], found: Sequence[Line], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same for programs."""
    compared = [
        {
            "what": one.what,
            "ours": list(one.ours),
            "reference": list(one.reference),
            "judged": [round(value, 3) for value in one.judged],
            "target": one.target,
            "met": one.met,
        }
        for one in found
    ]
    return {"schema": 1, **facts, "rounds": [asdict(one) for one in rounds], "compared": compared}
