"""Deployments: which states bring a node up, in which order. Data files, one for our own states and one for a site's formulas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from upgrader.content import FORMULAS
from upgrader.errors import Refused

DEPLOYMENTS = FORMULAS / "upgrader" / "deployments"
DEFAULT = "builtin"
OURS, SITE = "ours", "site"
MOMENTS = ("before_schemas", "after_schemas")
ROLES_WITH_ONE_MOMENT = ("proxy", "repositories", "compute", "gateway", "unpinned")
_EACH = "{service}"


@dataclass(frozen=True)
class Row:
    """One step of a deployment: its id and title, and the SLS that it applies. ``service`` is "" or the one it is of.

    One that ``writes_catalogue`` puts endpoints of its own there.
    """

    id: str
    title: str
    sls: tuple[tuple[str, str], ...]
    service: str = ""
    writes_catalogue: bool = False

    def of(self, services: Collection[str]) -> tuple[str, ...]:
        """The SLS for a cloud that has these services, in their order; empty when the row is of none of them."""
        if self.service and self.service not in services:
            return ()
        names: list[str] = []
        for service, name in self.sls:
            if not service or service in services:
                names += [name.replace(_EACH, one) for one in services] if _EACH in name else [name]
        return tuple(names)


@dataclass(frozen=True)
class Deployment:
    """``salt`` says whose Salt applies the states. Rows of the upgrade node before its schemas are done, and after.

    ``control_before`` and ``control_after`` are those of production's new controllers, ``proxy`` those of the new proxies,
    once the controllers serve. Rows of nodes that carry workloads: ``repositories`` before their packages are asked for,
    ``compute`` and ``gateway`` behind the packages. ``Row.of`` takes the services whose agents the nodes have: nova alone
    where Contrail makes the networks. ``unpinned`` are applied on the controllers when the last compute is upgraded.
    """

    name: str
    salt: str
    before_schemas: tuple[Row, ...]
    after_schemas: tuple[Row, ...]
    control_before: tuple[Row, ...] = ()
    control_after: tuple[Row, ...] = ()
    proxy: tuple[Row, ...] = ()
    repositories: tuple[Row, ...] = ()
    compute: tuple[Row, ...] = ()
    gateway: tuple[Row, ...] = ()
    unpinned: tuple[Row, ...] = ()

    @property
    def through_site(self) -> bool:
        """Whether the site's own Salt applies the states."""
        return self.salt == SITE


def deployment(name: str, folder: Path = DEPLOYMENTS) -> Deployment:
    """The deployment of that name. Raises Refused, with the known ones, for a name or a file that is none."""
    known = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if name not in known:
        raise Refused(f"pillar key upgrader:deployment is {name!r}, and there are {', '.join(known) or 'none'}")
    try:
        return _read(name, yaml.safe_load(known[name].read_text(encoding="utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"deployment {known[name]} cannot be read: {' '.join(str(error).split())}") from error


def _read(name: str, held: Mapping[str, Any]) -> Deployment:
    if held["salt"] not in (OURS, SITE):
        raise ValueError(f"salt is {held['salt']!r}, and must be {OURS} or {SITE}")
    before, after = _moments(held, "upgrade")
    control = _moments(held, "control") if "control" in held else ((), ())
    others = (tuple(_row(row) for row in held.get(whose, ())) for whose in ROLES_WITH_ONE_MOMENT)
    return Deployment(name, str(held["salt"]), before, after, *control, *others)


def _moments(held: Mapping[str, Any], whose: str) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    before, after = (tuple(_row(row) for row in held[whose][moment]) for moment in MOMENTS)
    if not before or not after:
        raise ValueError(f"{whose} needs rows in {' and '.join(MOMENTS)}")
    return before, after


def _row(row: Mapping[str, Any]) -> Row:
    sls = tuple((one["service"], one["name"]) if isinstance(one, Mapping) else ("", str(one)) for one in row["sls"])
    return Row(str(row["id"]), str(row["title"]), sls, str(row.get("service", "")), bool(row.get("catalogue", False)))
