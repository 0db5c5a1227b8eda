"""A long run as an operator may have one: refused, resumed, interrupted overnight, failed on some nodes, and finished at last.

The rehearsal's own plan, with steps behind it whose answers the later stages have: nodes in batches, kept disks, a prober.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.clock import BEGIN, Clock
from tests.support.clouds import FACTS, lab_pillar
from tests.support.salt_in_memory import SaltInMemory
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.engine.results import Outcome
from upgrader.engine.run import Engine
from upgrader.errors import Interrupted
from upgrader.journal.journal import Journal
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Call, Plan, Spread, Step

RUN = "20170801T101500Z-1a2b"
SECRET = "hunter2-never-shown"
MARKUP = "<script>alert(1)</script> & 'more' | cells"
COMPUTES = tuple(f"cmp{number:02}.lab.local" for number in range(1, 13))
NIGHT = 8 * 3600.0
GALERA = {"name": "lab", "uuid": "6a9f1b2c-0000-11e7-8f1a-000000000001", "seqno": 4211}
BACKUP = {
    "id": RUN, "node": "dbs03.lab.local", "cloud": "lab", "taken_at": "2017-08-01T10:16:00Z", "seconds": 41.0, "bytes": 474_000_000,
    "data_bytes": 2_100_000_000, "sha256": "ab" * 32, "path": "/srv/backup/upgrader", "compression": "zstd", "server_version": "10.1",
    "tool": "mariabackup", "proven": "2017-08-01T10:19:00Z", "galera": GALERA, "password": SECRET,
}  # fmt: skip
DISKS = {
    "run": RUN, "domain": "ctl01.lab.local", "node": "kvm01", "state": "kept", "mode": "rename", "xml_with_passwords": SECRET,
    "disks": [{"path": "/srv/ctl01.qcow2", "kept": "/srv/ctl01.qcow2." + RUN, "size": 21_000_000_000, "sha256": "cd" * 32}],
}  # fmt: skip
CALLS = [
    {
        "call": "servers",
        "command": "openstack server list --all-projects",
        "found": 1000,
        "expected": 1000,
        "seconds": 1.21,
    },
    {"call": "images", "command": "openstack image list", "found": 11, "expected": 12, "seconds": 0.31},
    {"call": "flavor", "command": "make, read and delete a flavor", "found": 1, "expected": None, "seconds": 0.4},
]
FINDINGS = [
    {
        "severity": "warning",
        "subject": "images",
        "what": "image cirros is more than the source has " + MARKUP,
        "remedy": "look",
    },
    {
        "severity": "info",
        "service": "nova",
        "subject": "flavors",
        "what": "2 rows are odd",
        "remedy": "",
        "rows": ["a", "b"],
        "count": 2,
    },
]
OUTAGE = {"from": "2017-08-01T18:25:30.5Z", "seconds": 42.5, "states": ["refused"], "ended": False}
QUIET = {"outages": [], "down_seconds": 0.0, "longest_seconds": 0.0, "url": "http://vip:9292/"}
PROBED = {
    "comment": "2 APIs were probed",
    "targets": {"nova": {**QUIET, "outages": [OUTAGE], "down_seconds": 42.5, "longest_seconds": 42.5}, "glance": QUIET},
    "not_watched": [{"from": "2017-08-01T18:24:00.0Z", "to": "2017-08-01T18:24:07.0Z", "seconds": 7.0}],
}
SECONDS = {
    "upgrader_backup.create": 41.0,
    "upgrader_store.prove": 95.0,
    "upgrader_schema.phase": 7.0,
    "state.apply": 21.0,
}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "upgrader_galera.check": {"load": 1.0, "comment": "synced", "token": SECRET},
    "upgrader_backup.create": {"comment": "backup taken: 474 MB in 41 s", "receipt": BACKUP},
    "upgrader_store.prove": {
        "comment": "389 tables of 7 databases equal their source in 95 s",
        "counts": {"nova": {"instances": {"total": 1000, "live": 870}, "services": {"total": 9, "live": 9}}},
        "receipt": BACKUP,
    },
    "upgrader_export.create": {"exports": {}, "logical": [], "comment": MARKUP},
    "upgrader_verify.baseline": {"comment": "1000 servers, 12 images", "counts": {"servers": 1000, "images": 12}},
    "upgrader_verify.calls": {"comment": "3 calls in 1.9 s", "calls": CALLS, "findings": FINDINGS, "account": SECRET},
    "upgrader_schema.verify": {"comment": "is at ocata", "findings": [], "compared": True},
    "upgrader_disk.keep": {"comment": "1 disks of ctl01 kept", "receipt": DISKS},
    "upgrader_prober.stop": PROBED,
    "upgrader_member.hold": {
        "comment": "kept",
        "receipt": {"id": RUN, "node": "dbs03", "galera": GALERA, "at": "2017-08-01T10:15:00Z"},
    },
}


def plan() -> Plan:
    """The rehearsal's, and what later stages will have behind it."""
    made = make_plan(cloud_from_pillar(lab_pillar(), "cfg01.lab.local"), "control-plane", "test-upgrade", FACTS)
    more = (
        _step("keep-disks", "keep the disks of ctl01", "upgrader_disk.keep", ("kvm01",)),
        _step("hold-member", "keep a database member", "upgrader_member.hold", ("dbs03.lab.local",)),
        replace(
            _step("computes", f"packages on every compute {MARKUP}", "upgrader_packages.upgrade", COMPUTES),
            spread=Spread(4, 12), undo=Call("module", "upgrader_packages.back", COMPUTES, timeout=60), no_undo="",
        ),
        _step("probed", "how long the APIs were away", "upgrader_prober.stop", ("cfg01.lab.local",)),
    )  # fmt: skip
    return replace(made, stages=(replace(made.stages[0], steps=(*made.stages[0].steps, *more)),))


def _step(identity: str, title: str, function: str, nodes: tuple[str, ...]) -> Step:
    return Step(
        identity, title, Call("module", function, nodes, timeout=600), retry_safe=True, no_undo="nothing to undo"
    )


class LongRun:
    """The journal below ``state`` as it grows; ``until`` takes it to one of its stops."""

    STOPS = ("refused", "interrupted", "failed", "finished")

    def __init__(self, state: Path) -> None:
        self.path = state / "lab" / "runs" / f"{RUN}.jsonl"
        self.clock, self.salt = Clock(), SaltInMemory(self._answer)
        self.bad: dict[tuple[str, str], str] = {}

    def until(self, stop: str) -> LongRun:
        """From nothing to this stop, by way of all earlier ones."""
        for one in self.STOPS[: self.STOPS.index(stop) + 1]:
            with contextlib.suppress(Interrupted):
                getattr(self, f"_{one}")()
        return self

    def _refused(self) -> None:
        self.bad = {
            ("upgrader_preflight.databases", "cfg01.lab.local"): "nova: 3 instances have no host; give them one"
        }
        self._engine(Journal.create(self.path)).start(plan(), RUN, "alice@cfg01", version="0.1.0")

    def _interrupted(self) -> None:
        self.bad, self.salt.die_after = {}, "upgrader_schema.phase nova db-newton"
        self.clock.pause(120)
        self._resume("alice@cfg01")

    def _failed(self) -> None:
        self.clock.pause(NIGHT)
        self.bad = {
            ("upgrader_packages.upgrade", node): f"{node}: dpkg was interrupted {MARKUP}" for node in COMPUTES[5:7]
        }
        self._resume("bob@cfg01")

    def _finished(self) -> None:
        self.bad = {}
        self.clock.pause(600)
        self._resume("bob@cfg01")

    def _resume(self, who: str) -> Outcome:
        return self._engine(Journal.open(self.path)).resume(who)

    def _engine(self, journal: Journal) -> Engine:
        return Engine(journal, self.salt, self.clock.now, clock=self.clock, pause=self.clock.pause)

    def _answer(self, call: Call, node: str) -> Mapping[str, Any]:
        self.clock.pause(SECONDS.get(call.function, 0.4))
        if (call.function, node) in self.bad:
            return {"return": f"ERROR: {self.bad[call.function, node]}", "retcode": 1, "success": False}
        if call.kind == "state":
            chunks = {f"unit-{number}": {"result": True, "changes": {"started": True}} for number in range(9)}
            return {"return": chunks, "retcode": 0, "success": True}
        return {
            "return": {"exports": {}, "logical": [], **VALUES.get(call.function, {"comment": "fine"})},
            "retcode": 0,
        }


__all__ = ["BEGIN", "COMPUTES", "MARKUP", "RUN", "SECRET", "LongRun", "plan"]
