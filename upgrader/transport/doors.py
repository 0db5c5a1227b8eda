"""The transports by name. Each is made on demand: importing Salt takes up to a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upgrader.transport.base import Transport


def _master(salt_config: Path) -> Transport:
    from upgrader.transport.master import MasterTransport

    return MasterTransport(salt_config)


DOORS: dict[str, Callable[[Path], Transport]] = {"master": _master}
"""Name to what opens it, given the Salt configuration that ``--salt-config`` names."""
