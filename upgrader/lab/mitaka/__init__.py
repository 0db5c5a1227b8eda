"""Rows of a Mitaka cloud as a real one has them, the same for the same size and seed: what the rehearsal lab upgrades."""

from upgrader.lab.mitaka.populate import populate

__all__ = ["populate"]
