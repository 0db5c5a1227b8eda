"""Says what the lab is doing and how long it took: live on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

Update = Callable[[str], None]


class Narrator:
    """The one place of the lab that prints. Library callers may use `Narrator(quiet=True)`."""

    def __init__(self, quiet: bool = False, stream: object | None = None) -> None:
        self.quiet = quiet
        self.console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)  # type: ignore[arg-type]

    def say(self, sentence: str) -> None:
        if not self.quiet:
            self.console.print(escape(sentence))

    @contextmanager
    def doing(self, sentence: str) -> Iterator[Update]:
        """Announces an action, lets it report how far it is, and closes with the seconds it took."""
        started = time.monotonic()
        if self.quiet:
            yield lambda text: None
            return
        if self.console.is_terminal:
            with self.console.status(escape(sentence)) as status:
                yield lambda text: status.update(f"{escape(sentence)}: {escape(text)}")
        else:
            self.say(f"{sentence} ...")
            yield lambda text: None
        self.say(f"{sentence}: done in {time.monotonic() - started:.1f} s")
