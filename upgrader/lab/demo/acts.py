"""What the demonstration does one after the other, and how far the lab's journals say that it has come. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upgrader.errors import LabRefused

PART, FINISHED, ABANDONED = "control-plane", "finished", "abandoned"
"""As `upgrader history -o json` has them (docs/json.md, upgrader.history/1)."""


@dataclass(frozen=True)
class Act:
    """One part of the demonstration, as its table calls it, and the stage that it is a run of."""

    name: str
    stage: str


ACTS = (
    Act("rehearsal", "test-upgrade"),
    Act("real upgrade", "real-upgrade"),
    Act("rollback", "rollback"),
    Act("forward again", "real-upgrade"),
    Act("finish", "finish"),
)


@dataclass(frozen=True)
class Standing:
    """Ids of the runs that finished, in the order of the acts, and of the one that was begun and has not ("" for none)."""

    done: tuple[str, ...] = ()
    begun: str = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.done, self.begun) if self.begun else self.done

    @property
    def at(self) -> Act | None:
        """The act that is to be played or gone on with; None at the end."""
        return ACTS[len(self.done)] if len(self.done) < len(ACTS) else None


def standing(runs: Sequence[Mapping[str, Any]], lab: str) -> Standing:
    """How far it has come by the lab's runs, oldest first. Those that were left behind count for nothing.

    Raises LabRefused for a run that the demonstration does not make there: what it would show then is not what it says.
    """
    now = Standing()
    for run in (run for run in runs if run["state"] != ABANDONED):
        act = None if now.begun else now.at
        if act is None or (run["part"], run["stage"]) != (PART, act.stage):
            raise LabRefused(
                f"Run {run['run']} ({run['part']} {run['stage']}) of the lab {lab} is none that the demonstration makes there; "
                f"`upgrader lab --name {lab} down` discards the lab, then again."
            )
        finished = run["state"] == FINISHED
        now = Standing((*now.done, run["run"])) if finished else Standing(now.done, run["run"])
    return now
