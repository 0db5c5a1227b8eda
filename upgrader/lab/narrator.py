"""Says what the lab is doing and how long it took: live on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.markup import escape
from rich.status import Status

Update = Callable[[str], None]


class Narrator:
    """The one place of the lab that prints. Actions may overlap: nodes start side by side."""

    def __init__(self, quiet: bool = False, stream: IO[str] | None = None) -> None:
        self.quiet = quiet
        self.console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}
        self._status: Status | None = None

    def say(self, sentence: str) -> None:
        """One line, for good."""
        if not self.quiet:
            self.console.print(escape(sentence))

    @contextmanager
    def doing(self, sentence: str) -> Iterator[Update]:
        """Announces an action, lets it report how far it is, and closes with the seconds it took or that it failed."""
        started = time.monotonic()
        if not self.console.is_terminal:
            self.say(f"{sentence} ...")
        outcome = "stopped"
        try:
            self._show(sentence, sentence)
            yield lambda text: self._show(sentence, f"{sentence}: {text}")
            outcome = "done"
        finally:
            self._show(sentence, "")
            self.say(
                f"{sentence}: {outcome} {'in' if outcome == 'done' else 'after'} {time.monotonic() - started:.1f} s"
            )

    def _show(self, action: str, text: str) -> None:
        """The live line of a terminal: everything that goes on now. rich allows one live line at a time."""
        if self.quiet or not self.console.is_terminal:
            return
        with self._lock:
            if text:
                self._running[action] = text
            else:
                self._running.pop(action, None)
            line = escape("; ".join(self._running.values()))
            if self._status is None and line:
                self._status = self.console.status(line)
                self._status.start()
            elif self._status is not None and line:
                self._status.update(line)
            elif self._status is not None:
                self._status.stop()
                self._status = None
