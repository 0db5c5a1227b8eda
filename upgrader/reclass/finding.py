"""What a survey of a model finds, and what would be written into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from upgrader.reclass.needs import REHEARSAL


@dataclass(frozen=True)
class Finding:
    """One thing that is missing or wrong. ``kind``: unreachable, render, role, release, class, file, parameter, key, value, danger.

    ``file`` is where to write, ``name`` the class, parameter or pillar key to write there; both "" where there is none.
    """

    kind: str
    nodes: tuple[str, ...]
    what: str
    remedy: str
    file: str = ""
    name: str = ""
    stage: str = REHEARSAL


@dataclass(frozen=True)
class Survey:
    """The outcome. ``edits`` is what prepare would write: path to (old text or None, new text).

    ``unread``: role to the keys that production sets and no state of this tool reads.
    """

    roles: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    edits: Mapping[Path, tuple[str | None, str]]
    prefix: str | None
    unsound_before: frozenset[str]
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
