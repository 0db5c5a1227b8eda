"""A small real cloud on one Linux machine: Debian nodes under systemd-nspawn in one network namespace."""

from upgrader.lab.lab import Lab

__all__ = ["Lab"]
