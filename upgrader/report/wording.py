"""How durations, nodes and outcomes are worded, once for every place that shows them."""

from __future__ import annotations

from collections.abc import Sequence

from upgrader.engine.events import Progress


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def short(node: str) -> str:
    """A node's host name without its domain."""
    return node.split(".", 1)[0]


def node_list(nodes: Sequence[str]) -> str:
    """``cfg01, dbs01 and 3 more``."""
    names = [short(node) for node in nodes]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def progress_text(progress: Progress) -> str:
    """``4,200 of 10,000 instances mapped, about 40 s left``."""
    of = "" if progress.total is None else f" of {progress.total:,}"
    left = "" if progress.seconds_left is None else f", about {duration(progress.seconds_left)} left"
    return f"{progress.done:,}{of} {progress.what}{left}"


def size(number: int) -> str:
    """``512 kB``, ``1.3 MB``, ``474 MB``, ``2.1 GB``: decimal, as disks are sold."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if number >= factor:
            amount = number / factor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{number} B"
