"""Where a moment of the run stands on the charts: attempts in proportion, the time between them as a narrow band.

A run that waited a night between two attempts would otherwise be two slivers at the edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upgrader.report.account.times import seconds_between
from upgrader.report.wording import duration

WIDTH, GAP = 1000.0, 24.0
"""Units of the whole axis, and of each band between attempts."""


@dataclass(frozen=True)
class Stretch:
    """One attempt: its moments, and the units that they stand at."""

    begun: str
    ended: str
    left: float
    right: float


@dataclass(frozen=True)
class Axis:
    """The run's time, from left to right."""

    stretches: tuple[Stretch, ...]

    def at(self, moment: str) -> float:
        """Units of a moment. One between attempts, or outside of all, stands at the nearest edge."""
        for stretch in self.stretches:
            if seconds_between(stretch.ended, moment) <= 0:
                return _within(stretch, moment)
        return self.stretches[-1].right

    def bands(self) -> list[tuple[float, float, str]]:
        """Left and right of each time between attempts, and how long it was."""
        pairs = zip(self.stretches, self.stretches[1:], strict=False)
        return [(one.right, other.left, duration(seconds_between(one.ended, other.begun))) for one, other in pairs]

    def ticks(self) -> list[tuple[float, str]]:
        """Units and clock time of the beginning of each attempt, and of the end of the last."""
        marks = [(stretch.left, stretch.begun[11:19]) for stretch in self.stretches]
        return [*marks, (self.stretches[-1].right, self.stretches[-1].ended[11:19])]


def axis_of(attempts: Sequence[Mapping[str, Any]]) -> Axis:
    """The axis of a run with these attempts (at least one). Many short attempts share the width evenly with the others."""
    gap = min(GAP, WIDTH / (2 * len(attempts)))
    room = WIDTH - gap * (len(attempts) - 1)
    lengths = [max(one["seconds"], 0.001) for one in attempts]
    stretches, left = [], 0.0
    for one, length in zip(attempts, lengths, strict=True):
        right = left + room * length / sum(lengths)
        stretches.append(Stretch(one["begun"], one["ended"], left, right))
        left = right + gap
    return Axis(tuple(stretches))


def _within(stretch: Stretch, moment: str) -> float:
    whole = seconds_between(stretch.begun, stretch.ended)
    part = seconds_between(stretch.begun, moment) / whole if whole else 0.0
    return stretch.left + (stretch.right - stretch.left) * min(1.0, part)
