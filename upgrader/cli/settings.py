"""What every command is told: where Salt is, where journals live, who asks."""

from __future__ import annotations

import getpass
import os
import platform
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from upgrader.content import FORMULAS
from upgrader.errors import Refused
from upgrader.journal.archive import Archive
from upgrader.model.cloud import Cloud, cloud_from_pillar, lookup
from upgrader.transport.base import Transport

MASTER = "upgrader"


@dataclass(frozen=True)
class Settings:
    """Global options, resolved once."""

    salt_config: Path
    state_dir: Path

    @property
    def archive(self) -> Archive:
        """The journals."""
        return Archive(self.state_dir)

    def transport(self) -> Transport:
        """The door to Salt. Made on demand, because importing Salt takes up to a second."""
        from upgrader.transport.master import MasterTransport

        return MasterTransport(self.salt_config)


def utc_now() -> str:
    """This moment in UTC, ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def new_run_id() -> str:
    """Sortable by time, unique, and fit for file and database names."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def operator() -> str:
    """Who asks: the person behind sudo where there is one."""
    name = os.environ.get("SUDO_USER") or getpass.getuser()
    return f"{name}@{platform.node()}"


def read_cloud(transport: Transport) -> Cloud:
    """The cloud as pillar describes it: the master's pillar names the nodes, theirs say the rest."""
    master = transport.master_id()
    own = transport.pillars([master])
    named = lookup(own[master], "upgrader:nodes") or {}
    if not isinstance(named, dict):
        raise Refused(f"pillar key upgrader:nodes of {master} must map roles to lists of minion ids")
    others = {
        node for nodes in named.values() if isinstance(nodes, list) for node in nodes if isinstance(node, str)
    } - {master}
    return cloud_from_pillar({**own, **transport.pillars(sorted(others))}, master)


def formulas_digest() -> str:
    """Hash of the Salt modules that this version ships; every node must run exactly these."""
    import upgrader_sources

    return upgrader_sources.digest(str(FORMULAS))
