"""Each transport at the small real Salt of ``salt_site``, by name; as a program, a run through one of them that a test can kill."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from tests.functional.salt_site import MASTER, NODES, USER
from upgrader.config.access import SaltApi, SaltSsh
from upgrader.engine.run import Engine
from upgrader.journal.journal import Journal
from upgrader.plan.step import Call, Plan, Stage, Step
from upgrader.transport.base import Patience, Transport
from upgrader.transport.doors import DOORS, Access
from upgrader.transport.ssh import bundle

QUICK = Patience(tick=0.1, probe_every=1.0, silence=15.0, grace=4.0)


def access_of(folder: Path) -> Access:
    """What opens the doors of the site in a folder: one with a master, or one that is reached by ssh alone."""
    if (folder / "roster").exists():
        ssh = SaltSsh(folder / "roster", folder / "known_hosts", MASTER, str(folder / "spool"))
        return Access(folder / "etc" / "master", salt_ssh=ssh)
    config = folder / "master" / "master"
    port = json.loads(config.read_text())["rest_cherrypy"]["port"]
    api = SaltApi(
        f"https://localhost:{port}", USER, "file", password_file=folder / "password", ca_file=folder / "tls" / "api.crt"
    )
    return Access(config, api)


def opened(door: str, folder: Path) -> Transport:
    """A transport as a new command makes it."""
    if door == "ssh":
        bundle.FORMULAS = folder / "roots"  # with the module that the list of behaviours asks for
    return DOORS[door](access_of(folder))


def plan(mark: Path, seconds: int) -> Plan:
    """One step that may not be run twice, so long on each node."""
    call = Call("module", "contract.counted", NODES, {"path": str(mark), "seconds": seconds}, timeout=120)
    step = Step("work", "work for a while", call, retry_safe=False, no_undo="a test's own file")
    return Plan("contract", "mitaka", "ocata", "control-plane", (Stage("s", "t", (step,)),))


def engine(journal: Journal, transport: Transport) -> Engine:
    return Engine(journal, transport, lambda: datetime.now(timezone.utc).isoformat(), patience=QUICK)


def main() -> None:
    door, folder, path, mark, seconds = sys.argv[1:]
    run = engine(Journal.create(Path(path)), opened(door, Path(folder)))
    run.start(plan(Path(mark), int(seconds)), "r", "test")


if __name__ == "__main__":
    main()
