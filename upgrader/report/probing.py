"""How far a probe of live rows is, on stderr: one moving line on a terminal, now and then a line in a pipe."""

from __future__ import annotations

import time

from rich.console import Console
from rich.status import Status

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class ProbeProgress:
    """``probing nova.instance_extra: 40,000 of 200,000``."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._said = 0.0

    def begun(self, what: str, total: int) -> None:
        """A kind of rows begins; a small one is told no more than that."""
        self._said = time.monotonic()
        self._show(f"probing {what}: {total:,} row{'' if total == 1 else 's'}")

    def at(self, what: str, done: int, total: int) -> None:
        """Some rows are done. Rows that came meanwhile may take it past its total."""
        if self._console.is_terminal or time.monotonic() - self._said > EVERY:
            self._said = time.monotonic()
            self._show(f"probing {what}: {done:,} of {max(done, total):,}")

    def close(self) -> None:
        """Take the live line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line, soft_wrap=True)
        elif self._status is None:
            self._status = self._console.status(line, spinner="line")
            self._status.start()
        else:
            self._status.update(line)
