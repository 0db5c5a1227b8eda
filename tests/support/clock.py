"""Time that only moves when somebody waits."""

from __future__ import annotations


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> str:
        return f"2017-08-01T10:15:{self.seconds % 60:06.3f}+00:00"
