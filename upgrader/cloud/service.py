"""One OpenStack service of the cloud."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One OpenStack service that is upgraded, with the names of its databases (never its secrets).

    ``database`` is what pillar says the upgrade node works on: a clone of the first source database, or, on a model whose
    switch selects production, that database itself. Then there are no clones.
    """

    name: str
    database: str
    source_databases: tuple[str, ...]
    upgrade_databases: tuple[str, ...]
    clones: tuple[tuple[str, str], ...]
