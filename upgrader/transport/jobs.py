"""Job ids in Salt's own form, where no Salt of this machine makes them."""

from __future__ import annotations

from datetime import datetime, timezone


class JobIds:
    """The time in microseconds (UTC), never the same twice."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        """Twenty digits."""
        now = int(datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S%f"))
        self._last = max(now, self._last + 1)
        return str(self._last)
