"""What a hook is told: one small document, the same for a command's standard input and a webhook's body."""

from __future__ import annotations

from typing import Any

from upgrader.journal.approvals import Approval
from upgrader.journal.progress import FINISHED, RunProgress

HOOK_SCHEMA = 1


def of_run(run: RunProgress, sentence: str, journal: str, now: str) -> dict[str, Any]:
    """``done`` or ``failed``, with the run's own sentence, which says what comes next."""
    return {
        "hook_schema": HOOK_SCHEMA,
        "event": "done" if run.state == FINISHED else "failed",
        "at": now,
        "cloud": run.plan.cloud,
        "part": run.plan.part,
        "stage": run.stage,
        "plan": run.plan.digest,
        "run": run.run_id,
        "state": run.state,
        "sentence": sentence,
        "journal": journal,
    }


def of_approval(asked: Approval, part: str, stage: str, now: str, event: str = "waiting") -> dict[str, Any]:
    """``waiting`` or ``expiring``: which plan, until when, and how to answer."""
    return {
        "hook_schema": HOOK_SCHEMA,
        "event": event,
        "at": now,
        "cloud": asked.cloud,
        "part": part,
        "stage": stage,
        "plan": asked.digest,
        "asked_by": asked.asked_by,
        "expires_at": asked.expires_at,
        "sentence": f"plan {asked.short} ({asked.what} of cloud {asked.cloud}) waits for approval until {asked.expires_at}",
        "approve": f"upgrader approve {asked.short}",
        "reject": f"upgrader reject {asked.short} --reason TEXT",
    }
