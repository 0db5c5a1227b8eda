"""Approvals of plans by a person: ``<state dir>/<cloud>/approvals/<digest>.json``. One names the digest of exactly what will run.

It is asked for, decided once, and holds for a time. That nothing changed since the plan was made is for whoever runs it to see.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from upgrader_node.host import files

from upgrader.errors import Refused, UpgradeError, UsageError, Waiting
from upgrader.journal.plans import SHORTEST
from upgrader.plan.step import Plan

WAITING, APPROVED, REJECTED, EXPIRED = "waiting", "approved", "rejected", "expired"
SHOWN = 12


@dataclass(frozen=True)
class Approval:
    """Who asked for what, until when it may be decided and used, and what somebody decided. Times are UTC in ISO 8601."""

    digest: str
    cloud: str
    what: str
    asked_by: str
    asked_at: str
    expires_at: str
    decision: str = ""
    by: str = ""
    at: str = ""
    reason: str = ""

    def state(self, now: str) -> str:
        """Waiting, approved, rejected or, where its time is over and nobody said no, expired."""
        if self.decision == REJECTED:
            return REJECTED
        return EXPIRED if _time(now) > _time(self.expires_at) else self.decision or WAITING

    @property
    def short(self) -> str:
        """The first digits of the digest."""
        return self.digest[:SHOWN]


@dataclass(frozen=True)
class Approvals:
    """Those of every cloud below one folder."""

    root: Path

    def ask(self, plan: Plan, who: str, now: str, seconds: int) -> Approval:
        """Ask for one, anew where there was one: what somebody decided of it before no longer counts."""
        what = f"{plan.part} {plan.stages[0].name}"
        until = (_time(now) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        return self._write(Approval(plan.digest, plan.cloud, what, who, now, until))

    def decide(self, name: str, decision: str, who: str, now: str, reason: str = "") -> Approval:
        """Say yes or no, once. Raises UsageError for a digest that nobody asked about, Refused for one that is decided or over."""
        with _alone(self.root / self.find(name).cloud / "approvals" / "lock"):
            asked = self.find(name)
            state = asked.state(now)
            if state == EXPIRED:
                raise Refused(f"plan {asked.short} could be approved until {asked.expires_at}: ask again with --wait")
            if state != WAITING:
                raise Refused(f"plan {asked.short} was {state} by {asked.by} at {asked.at}: ask again with --wait")
            return self._write(replace(asked, decision=decision, by=who, at=now, reason=reason))

    def require(self, plan: Plan, now: str) -> Approval | None:
        """The approval that a plan may run by; None where nobody asked for one. Raises Waiting or Refused where it may not."""
        path = self._path(plan.cloud, plan.digest)
        asked = _read(path) if path.exists() else None
        state = asked.state(now) if asked else APPROVED
        if asked is None or state == APPROVED:
            return asked
        if state == REJECTED:
            raise Refused(f"plan {asked.short} was rejected by {asked.by} at {asked.at}: {asked.reason}")
        if state == EXPIRED:
            raise Waiting(f"the approval of plan {asked.short} expired at {asked.expires_at}: ask again with --wait")
        raise Waiting(
            f"plan {asked.short} ({asked.what} of cloud {asked.cloud}) waits for approval until {asked.expires_at}: "
            f"'upgrader approve {asked.short}', then 'upgrader apply {asked.short}'"
        )

    def of(self, cloud: str) -> tuple[list[Approval], list[str]]:
        """Everything that was asked for of one cloud, newest first, and one sentence for each file that cannot be read."""
        asked: list[Approval] = []
        unreadable: list[str] = []
        for path in sorted((self.root / cloud / "approvals").glob("*.json")):
            try:
                asked.append(_read(path))
            except UsageError as error:
                unreadable.append(str(error))
        return sorted(asked, key=lambda one: one.asked_at, reverse=True), unreadable

    def path(self, plan: Plan) -> Path:
        """Where the approval of a plan is written."""
        return self._path(plan.cloud, plan.digest)

    def _path(self, cloud: str, digest: str) -> Path:
        return self.root / cloud / "approvals" / f"{digest}.json"

    def find(self, name: str) -> Approval:
        """The one whose plan's digest begins so. Raises UsageError that names what was asked for."""
        asked = sorted(self.root.glob("*/approvals/*.json"))
        fitting = [path for path in asked if len(name) >= SHORTEST and path.stem.startswith(name)]
        if len(fitting) != 1:
            known = ", ".join(path.stem[:SHOWN] for path in asked) or "none"
            raise UsageError(
                f"{name} is no plan that waits for approval (asked for: {known}); 'upgrader control-plane --wait' asks"
            )
        return _read(fitting[0])

    def _write(self, approval: Approval) -> Approval:
        path = self._path(approval.cloud, approval.digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.write(str(path), json.dumps(asdict(approval), indent=1, sort_keys=True) + "\n")
        except OSError as error:
            raise UpgradeError(
                f"approval {path} cannot be written: {error.strerror}; run as the user who owns {self.root}"
            ) from error
        return approval


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One who decides at a time: of two that answer at the same moment the second one hears of the first."""
    with open(path, "a", opener=partial(os.open, mode=0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> Approval:
    try:
        return Approval(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"approval {path} cannot be read ({type(error).__name__}): ask again with --wait") from error


def _time(said: str) -> datetime:
    return datetime.fromisoformat(said.replace("Z", "+00:00"))
