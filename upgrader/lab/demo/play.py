"""Plays the demonstration from where the lab's journals say that it stands, to its end or to the act that does not go well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from upgrader.errors import Interrupted, LabError, LabRefused
from upgrader.lab.demo.acts import ACTS, FINISHED, PART, Act, Standing, standing
from upgrader.lab.demo.master import Master
from upgrader.lab.lab import Lab
from upgrader.lab.narrator import Narrator
from upgrader.lab.options import Options, wording
from upgrader.lab.topology import CONTROL

NAME, FEW = "demo", 50
WATCH = "watch"


@dataclass(frozen=True)
class Played:
    """The documents of the runs, in the order of the acts (upgrader.run/1), and the exit code of the act that ended it."""

    documents: tuple[Mapping[str, Any], ...]
    code: int = 0

    @property
    def well(self) -> bool:
        """Whether all of it was played."""
        return len(self.documents) == len(ACTS) and all(one["state"] == FINISHED for one in self.documents)


def bring_up(lab: Lab, instances: int | None, mirror: str = "") -> None:
    """Have the lab stand. One that was brought up is taken as it is: `lab up` would start the database member that a run keeps.

    Raises LabRefused when a lab of that name is another one, or when nodes of it do not run.
    """
    there = lab.options
    if there is not None:
        _require_own(lab.name, there, instances)
    if there is None or not there.loaded:
        lab.up(topology=CONTROL.name, instances=instances or (there.instances if there else FEW), mirror=mirror)
        return
    dead = [node.name for node in lab.nodes() if not node.plan.on and not node.running]
    if dead:
        raise LabRefused(
            f"Of the lab {lab.name} {', '.join(dead)} do not run, and starting them would start what a run keeps as its way back; "
            f"`upgrader lab --name {lab.name} down` discards the lab, then again."
        )


def _require_own(name: str, there: Options, instances: int | None) -> None:
    wanted = Options(CONTROL.name, instances or there.instances, loaded=there.loaded)
    if there != wanted:
        raise LabRefused(
            f"The lab {name} runs with {wording(there)}, and the demonstration needs {wording(wanted)}; "
            f"`upgrader lab --name {name} down` discards it first."
        )


def play(master: Master, lab: str, narrator: Narrator) -> Played:
    """Act after act, each to its end. Raises LabError when an act ends well and its journals do not say so."""
    now = _look(master, lab)
    while now.at is not None:
        narrator.say(f"Demonstration, {len(now.done) + 1} of {len(ACTS)}: {now.at.name}")
        words = _words(master, now, now.at)
        code, before = master.show(*words), now
        now = _look(master, lab)
        if code:
            return Played(_documents(master, now), code)
        if now == before:
            _no_end(words, lab)
    return Played(_documents(master, now))


def _look(master: Master, lab: str) -> Standing:
    return standing(master.ask("history")["runs"], lab)


def _words(master: Master, now: Standing, act: Act) -> tuple[str, ...]:
    """How the act is begun, or gone on with; a run that a process works on still is followed."""
    open_run = now.begun or now.aside
    if not open_run:
        return (PART, "--stage", act.stage, "--yes")
    return (WATCH if master.ask("status", open_run)["in_progress"] else "resume", open_run)


def _no_end(words: tuple[str, ...], lab: str) -> NoReturn:
    """The command ended well, and the journals say what they said before."""
    if words[0] == WATCH:
        raise Interrupted(f"interrupted, run {words[1]} has not finished; the same command goes on")
    raise LabError(
        f"`upgrader {' '.join(words)}` ended with exit code 0, and no run has finished by it; "
        f"`upgrader lab --name {lab} run -- status` says more."
    )


def _documents(master: Master, now: Standing) -> tuple[dict[str, Any], ...]:
    return tuple(master.ask("status", run) for run in now.runs)
