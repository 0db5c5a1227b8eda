"""What every command is told: where Salt is, where journals live, who asks.

Reading how a cloud is described takes its time, and `upgrader status` needs none of it: so it is imported where it is used.
"""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upgrader.config.files import Configuration, read
from upgrader.content import FORMULAS
from upgrader.journal.approvals import Approvals
from upgrader.journal.archive import Archive
from upgrader.journal.plans import Shelf
from upgrader.plan.facts import facts_of
from upgrader.plan.step import Facts
from upgrader.transport.doors import DOORS, Access

if TYPE_CHECKING:
    from upgrader.cloud.cloud import Cloud
    from upgrader.transport.base import Transport


@dataclass(frozen=True)
class Settings:
    """Global options, resolved once."""

    salt_config: Path
    state_dir: Path
    door: str = "master"

    @property
    def archive(self) -> Archive:
        """The journals."""
        return Archive(self.state_dir)

    @property
    def shelf(self) -> Shelf:
        """The plans that were shown."""
        return Shelf(self.state_dir)

    @property
    def approvals(self) -> Approvals:
        """Who approved which plan."""
        return Approvals(self.state_dir)

    @property
    def config(self) -> Configuration:
        """What the files say besides."""
        return read()

    def transport(self) -> Transport:
        """The door to Salt."""
        said = self.config
        return DOORS[self.door](Access(self.salt_config, said.salt_api, said.salt_ssh))


def utc_now() -> str:
    """This moment in UTC, ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def new_run_id() -> str:
    """``20170801T101500Z-1a2b``: the time to the second, then its fraction in 65,536ths, so that ids sort as runs were started.

    Fit for names of files and databases.
    """
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond * 65536 // 1000000:04x}"


def operator() -> str:
    """Who asks: the person behind sudo where there is one."""
    name = os.environ.get("SUDO_USER") or getpass.getuser()
    return f"{name}@{platform.node()}"


def read_pillars(transport: Transport) -> dict[str, dict[str, Any]]:
    """Pillar of the Salt master's minion and of every node that it names in a role whose pillar is read."""
    from upgrader.cloud.cloud import lookup
    from upgrader.cloud.roles import described_nodes, nodes_by_role

    master = transport.master_id()
    own = transport.pillars([master])
    given = lookup(own[master], "upgrader:nodes")
    others = described_nodes(nodes_by_role(given, master)) if given is not None else ()
    return {**own, **transport.pillars(sorted({*others} - {master}))}


def read_cloud(transport: Transport) -> Cloud:
    """The cloud as pillar describes it: the master's pillar names the nodes, theirs say the rest."""
    from upgrader.cloud.cloud import cloud_from_pillar

    return cloud_from_pillar(read_pillars(transport), transport.master_id())


def modules_digest() -> str:
    """Hash of the Salt modules that this version ships; every node must run exactly these."""
    from upgrader_node.host import sources

    return sources.digest(str(FORMULAS))


def facts_now(pillars: Mapping[str, Mapping[str, Any]]) -> Facts:
    """What a plan made at this moment is bound to: the formulas that this version ships, and these pillars."""
    from upgrader_node.host import sources

    files = sources.files(str(FORMULAS))
    return facts_of(sources.digest_of(files), files, pillars)
