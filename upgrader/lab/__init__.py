"""A small real cloud on one Linux machine: Debian nodes under systemd-nspawn in one network namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upgrader.lab.lab import Lab

__all__ = ["Lab"]


def __getattr__(name: str) -> object:
    """`Lab` on first use: `upgrader.lab.mitaka` also runs where nothing that drives a lab is installed."""
    if name == "Lab":
        from upgrader.lab.lab import Lab

        return Lab
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
