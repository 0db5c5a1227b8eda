"""Stages of the control plane carried out by the real engine on a Salt that is kept in memory, as their documents and journals say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.clock import Clock
from tests.support.clouds import CTL, DATABASES, FACTS, KVM, real_pillar
from tests.support.salt_in_memory import SaltInMemory
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.engine.run import Engine
from upgrader.journal.archive import Archive
from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.progress import read_progress
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Built, Call, Kept, Options
from upgrader.report.document import run_document

REAL = "20170801T101500Z-1a2b"
KEPT = Kept(REAL, DATABASES[2], {"name": "c", "uuid": "u", "seqno": 518}, tuple(DATABASES))
BUILT = Built(REAL, KEPT, False, {CTL: {"node": KVM, "domain": CTL, "run": REAL}}, True)
QUIET = {"outages": [], "down_seconds": 0.0, "longest_seconds": 0.0, "asked": 99, "state": "answers"}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "upgrader_verify.calls": {
        "calls": [
            {"call": "servers", "command": "", "found": 50, "expected": 50, "seconds": 1.0},
            {"call": "images", "command": "", "found": 13, "expected": 12, "seconds": 0.3},
            {"call": "flavor", "command": "", "found": 1, "expected": None, "seconds": 0.4},
        ],
        "findings": [],
    },
    "upgrader_smoke.server": {"host": "cmp001", "states": []},
    "upgrader_production.same": {"counts": {"instances": 50, "users": 7}},
    "upgrader_prober.stop": {
        "targets": {
            "keystone": {**QUIET, "down_seconds": 61.5, "longest_seconds": 40.0},
            "nova": {**QUIET, "down_seconds": 60.0, "longest_seconds": 60.0},
        },
        "not_watched": [{"from": "2017-08-01T10:24:00.0Z", "to": "2017-08-01T10:24:07.0Z", "seconds": 7.0}],
    },
}
REFERRED = ("exports", "logical", "minion_key", "counts", "receipt", "sealed")
"""What later steps take from the answers of earlier ones."""
SECONDS = {"upgrader_member.stop": 1.5, "upgrader_member.set_aside": 0.5, "upgrader_member.found": 3.0}


class Played:
    """One stage, with its journal below ``state``; ``bad`` is a function that fails everywhere."""

    def __init__(self, state: Path, stage: str, run: str = REAL, bad: str = "") -> None:
        self.clock, self.bad = Clock(), bad
        self.path = Archive(state).journal_path("lab", run)
        plan = make_plan(
            cloud_from_pillar(real_pillar(), "cfg01.lab.local"), "control-plane", stage, FACTS, Options(built=BUILT)
        )
        journal = Journal.create(self.path)
        engine = Engine(journal, SaltInMemory(self._answer), self.clock.now, clock=self.clock, pause=self.clock.pause)
        engine.start(plan, run, "me")

    def document(self) -> dict[str, Any]:
        """As ``upgrader status -o json`` prints it."""
        return run_document(read_progress(read_journal(self.path)), str(self.path), False)

    def _answer(self, call: Call, node: str) -> Mapping[str, Any]:
        self.clock.pause(SECONDS.get(call.function, 0.4))
        if call.function == self.bad:
            return {"return": "ERROR: it broke", "retcode": 1, "success": False}
        if call.kind == "state":
            return {"return": {"unit": {"result": True, "changes": {}}}, "retcode": 0, "success": True}
        value = {**{key: {} for key in REFERRED}, "load": 1.0, "comment": "fine", **VALUES.get(call.function, {})}
        return {"return": value, "retcode": 0, "success": True}
