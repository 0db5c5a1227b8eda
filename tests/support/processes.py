"""What every other process on this machine shows to whoever looks: its command line and its environment."""

from __future__ import annotations

import os

PARTS = ("cmdline", "environ")


class Processes:
    """Looked at again and again; told is only what a process did not show the last time, for most of them never change."""

    def __init__(self) -> None:
        self._own = str(os.getpid())
        self._shown: dict[str, dict[str, bytes]] = {}

    def news(self) -> list[tuple[str, bytes]]:
        """Paths and texts that are new since the last look."""
        before, numbers = self._shown, filter(str.isdigit, os.listdir("/proc"))
        self._shown = {number: _shown(number) for number in numbers if number != self._own}
        return [
            (f"/proc/{number}/{part}", text)
            for number, parts in self._shown.items()
            for part, text in parts.items()
            if before.get(number, {}).get(part) != text
        ]


def _shown(number: str) -> dict[str, bytes]:
    found = {}
    for part in PARTS:
        try:
            with open(f"/proc/{number}/{part}", "rb", buffering=0) as file:
                found[part] = file.read()
        except OSError:
            continue
    return found
