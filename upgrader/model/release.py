"""The release path: data, read from ``releases/*.yaml``. Another hop is another file, not more code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from upgrader.errors import Refused

RELEASES = Path(__file__).with_name("releases")


@dataclass(frozen=True)
class ReleasePath:
    """From one release to another, through the releases whose schemas are passed on the way.

    ``schemas`` maps service -> database role -> release -> schema version; see the YAML file for the source of each figure.
    """

    source: str
    target: str
    through: tuple[str, ...]
    schemas: Mapping[str, Mapping[str, Mapping[str, int]]]

    def version(self, service: str, database: str, release: str) -> int:
        """Schema version that ``release`` has in ``database`` of ``service`` (an integer of sqlalchemy-migrate)."""
        return self.schemas[service][database][release]


@cache
def _paths() -> dict[tuple[str, str], ReleasePath]:
    found: dict[tuple[str, str], ReleasePath] = {}
    for file in sorted(RELEASES.glob("*.yaml")):
        text: dict[str, Any] = yaml.safe_load(file.read_text())
        path = ReleasePath(text["source"], text["target"], tuple(text["through"]), text["schemas"])
        found[path.source, path.target] = path
    return found


def release_path(source: str, target: str) -> ReleasePath:
    """The path from ``source`` to ``target``; refuses a jump that nobody described."""
    try:
        return _paths()[source, target]
    except KeyError:
        known = ", ".join(f"{a} to {b}" for a, b in sorted(_paths())) or "none"
        raise Refused(
            f"pillar key upgrader:release asks for {source} to {target}, and no such release path is known; known: {known}"
        ) from None
