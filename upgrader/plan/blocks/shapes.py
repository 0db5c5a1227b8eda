"""Steps by what they risk, so that a stage's list stays readable while each step says whether it may run again and what undoes it.

``retry_safe`` is True in all of them: what they call looks at the world first and does nothing twice. A call that does not
is written out as a ``Step`` of its own.
"""

from __future__ import annotations

from typing import Any

from upgrader.plan.step import COPY, GATE, MINUTE, VERIFY, WORK, Call, Step

HOUR = 60 * MINUTE
COPY_IS_MADE_ANEW = "it changes the copy only, which the next rehearsal makes anew"
STORE_IS_PRUNED = "it adds to the backup store only; 'upgrader backup prune' takes old backups away"
ACCESS_STAYS = "an account and keys of the tool's own, which open the backup store and nothing else"
BESIDE = "a copy beside the data directory, which no server reads"
KEPT_ASIDE = (
    "the data directory that was there stays beside under the run's name; docs/operating.md says how to go back to it"
)
ONLY_REMOVES = "it removes what can be made again from the archive"

READY = ("modules-current", "pillar-current")
"""What every other gate needs: a node with other modules or an old pillar would answer another question."""


def gate(identity: str, title: str, call: Call, needs: tuple[str, ...] = READY, **more: Any) -> Step:
    """A question whose answer may stop the stage before anything was touched."""
    return Step(identity, title, call, GATE, needs=needs, retry_safe=True, **more)


def work(identity: str, title: str, call: Call, no_undo: str, needs: tuple[str, ...] = (), **more: Any) -> Step:
    """Something is changed, and ``no_undo`` says why there is no way back or none is needed."""
    return Step(identity, title, call, WORK, needs=needs, retry_safe=True, no_undo=no_undo, **more)


def on_copy(identity: str, title: str, call: Call, needs: tuple[str, ...] = (), **more: Any) -> Step:
    """Something is changed on the copy. Where rows stop it, only a mended source and a new copy help (``mends``)."""
    return work(identity, title, call, COPY_IS_MADE_ANEW, needs, **{"mends": COPY, **more})


def verification(identity: str, title: str, call: Call, needs: tuple[str, ...], **more: Any) -> Step:
    """What was done is judged."""
    return Step(identity, title, call, VERIFY, needs=needs, retry_safe=True, **more)


def apply(sls: str, nodes: tuple[str, ...]) -> Call:
    """Apply these SLS (comma-separated) on these nodes."""
    return Call("state", "state.apply", nodes, {"mods": sls}, 10 * MINUTE)
