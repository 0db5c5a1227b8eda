"""Time that only moves when somebody waits."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

BEGIN = datetime(2017, 8, 1, 10, 15, tzinfo=timezone.utc)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> str:
        return (BEGIN + timedelta(seconds=self.seconds)).isoformat(timespec="milliseconds")
