"""One line on stderr that says what is waited for: it moves on a terminal, and comes now and then in a pipe."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from upgrader.report.wording import duration, node_list

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class LiveLine:
    """The line. ``show`` writes it in any case, ``move`` only where it is seen or the last one is old."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._said = 0.0

    def show(self, line: str) -> None:
        """A line that everybody sees."""
        self._said = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(escape(line), soft_wrap=True)
        elif self._status is None:
            self._status = self._console.status(escape(line), spinner="line")
            self._status.start()
        else:
            self._status.update(escape(line))

    def move(self, line: str) -> None:
        """The line's next form; in a pipe not more often than every ten seconds."""
        if self._console.is_terminal or time.monotonic() - self._said > EVERY:
            self.show(line)

    def close(self) -> None:
        """Take the live line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


class Waiting(LiveLine):
    """``asked: queue; msg01 has not answered for 12 s``."""

    def asks(self, nodes: int, questions: int) -> None:
        """Before everything is asked at once."""
        self.show(f"asking {nodes} node{'' if nodes == 1 else 's'} {questions} questions at once")

    def waits(self, name: str, seconds: float, missing: tuple[str, ...]) -> None:
        """Whose answer to what is missing."""
        if seconds >= 1:
            self.move(f"asked: {name}; waiting for {node_list(missing)} for {duration(seconds)}")
