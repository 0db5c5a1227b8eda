"""What the demonstration does one after the other, and how far the lab's journals say that it has come. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from upgrader.errors import LabRefused

PART, FINISHED, ABANDONED = "control-plane", "finished", "abandoned"
"""As `upgrader history -o json` has them (docs/json.md, upgrader.history/1)."""

REHEARSAL, REAL, ROLLBACK = "test-upgrade", "real-upgrade", "rollback"


@dataclass(frozen=True)
class Act:
    """One part of the demonstration, as its table calls it, and the stage that it is a run of."""

    name: str
    stage: str


ACTS = (
    Act("rehearsal", REHEARSAL),
    Act("real upgrade", REAL),
    Act("rollback", ROLLBACK),
    Act("forward again", REAL),
    Act("finish", "finish"),
)


@dataclass(frozen=True)
class Standing:
    """Ids of the runs that finished, in the order of the acts, and of the one that was begun and has not ("" for none).

    ``aside`` is an unfinished run that is no act, and that has to be at its end before the next one.
    """

    done: tuple[str, ...] = ()
    begun: str = ""
    aside: str = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """All that acts are of."""
        return (*self.done, self.begun) if self.begun else self.done

    @property
    def at(self) -> Act | None:
        """The act that is to be played or gone on with; None at the end."""
        return ACTS[len(self.done)] if len(self.done) < len(ACTS) else None


def standing(runs: Sequence[Mapping[str, Any]], lab: str) -> Standing:
    """How far it has come by the lab's runs, oldest first. Those that were left behind count for nothing.

    Nor does what an operator may have done where a real upgrade failed: taken it back, or rehearsed anew. Raises LabRefused for
    any other run that the demonstration does not make: what it would show then is not what it says.
    """
    now, given_up = Standing(), False
    for run in runs:
        if run["state"] == ABANDONED:
            given_up = given_up or run["stage"] == REAL
            continue
        now = _with(now, run, given_up, lab)
        given_up = given_up and run["state"] != FINISHED
    return now


def _with(now: Standing, run: Mapping[str, Any], given_up: bool, lab: str) -> Standing:
    act = None if now.begun or now.aside else now.at
    stage = run["stage"] if run["part"] == PART else ""
    if act and stage == act.stage:
        return Standing((*now.done, run["run"])) if run["state"] == FINISHED else replace(now, begun=run["run"])
    if act and act.stage == REAL and (stage == REHEARSAL or (stage == ROLLBACK and given_up)):
        return _aside(now, run)
    raise LabRefused(
        f"Run {run['run']} ({run['part']} {run['stage']}) of the lab {lab} is none that the demonstration makes there; "
        f"`upgrader lab --name {lab} down` discards the lab, then again."
    )


def _aside(now: Standing, run: Mapping[str, Any]) -> Standing:
    """A rehearsal takes the place of the one before."""
    if run["state"] != FINISHED:
        return replace(now, aside=run["run"])
    return replace(now, done=(run["run"], *now.done[1:])) if run["stage"] == REHEARSAL else now
