"""How a step and a run ended: judged by what every node answered, and worded once for journal, screen and exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from upgrader.journal.progress import RunProgress
from upgrader.journal.step_fold import DOUBTFUL
from upgrader.journal.way import failing, not_reached
from upgrader.plan.step import GATE
from upgrader.transport.reply import Reply

MOST_NAMED = 5
"""Nodes whose words stand in a step's reason; the journal has every one's."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``refused`` means that only gates failed and nothing was changed, ``in_doubt`` that somebody must look.

    ``failed`` gives the reason of each step that failed, ``not_reached`` the failed steps that kept others from beginning.
    """

    run_id: str
    ok: bool
    refused: bool = False
    in_doubt: bool = False
    failed: Mapping[str, str] = field(default_factory=dict)
    not_reached: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why the run did not succeed, every step of it."""
        return "; ".join(f"step {step} failed: {reason}" for step, reason in self.failed.items())


def outcome_of(run: RunProgress) -> Outcome:
    """What the journal says at the end of an attempt."""
    failed = failing(run)
    return Outcome(
        run.run_id,
        run.first_unsettled() is None,
        refused=bool(failed) and all(step.phase == GATE for step in failed) and not run.changed(),
        in_doubt=any(run.steps[step.id].state in DOUBTFUL for step in failed),
        failed={step.id: run.steps[step.id].reason for step in failed},
        not_reached=not_reached(run),
    )


def reason_of(replies: Iterable[Reply], left_out: Mapping[str, str], not_asked: str = "") -> str:
    """Every complaint in one sentence, each with its node; of a thousand nodes the first few."""
    bad = [reply for reply in replies if not reply.ok]
    told = [reply.error if reply.node in reply.error else f"{reply.node}: {reply.error}" for reply in bad[:MOST_NAMED]]
    if len(bad) > MOST_NAMED:
        told.append(f"and {len(bad) - MOST_NAMED} more nodes")
    out = [f"{node} was not asked, as step {need} failed there" for node, need in left_out.items()]
    told += [*out[:MOST_NAMED], *([f"and {len(out) - MOST_NAMED} more nodes"] if len(out) > MOST_NAMED else [])]
    return "; ".join([*told, not_asked] if not_asked else told)
