"""The tutorial's commands, run for real: ``python -m tests.support.tutorial`` in a lab of its own writes what they said into it.

A block of the document is ``console``: lines ``NODE$ COMMAND``, what it said, and ``[exit N]`` where that is not 0. Long outputs are
cut in their middle. A plan's digest in a command is the one that was said last.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.sources import ROOT
from upgrader.lab import Lab
from upgrader.lab.narrator import Narrator

DOCUMENT = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"(```console\n)(.*?)(```)", re.DOTALL)
PROMPT = re.compile(r"^(?P<node>[a-z]+\d+)\$ (?P<command>.+)$")
DIGEST = re.compile(r"\bplan ([0-9a-f]{12})\b")
FIRST, LAST = 5, 8
SECONDS = 2700


@dataclass
class Command:
    """One command of the document: where it is typed, and how it ended there."""

    node: str
    words: str
    said: list[str] = field(default_factory=list)
    code: int = 0

    def lines(self) -> Iterator[str]:
        """As the document has it."""
        yield f"{self.node}$ {self.words}"
        yield from self.said
        if self.code:
            yield f"[exit {self.code}]"


def commands(block: str) -> list[Command]:
    """Those of one block, with what the document says of them."""
    found: list[Command] = []
    for line in block.splitlines():
        typed = PROMPT.match(line)
        if typed:
            found.append(Command(typed["node"], typed["command"]))
        elif ended := re.fullmatch(r"\[exit (\d+)\]", line):
            found[-1].code = int(ended[1])
        else:
            found[-1].said.append(line)
    return found


def written(text: str) -> list[Command]:
    """All commands of a document."""
    return [command for block in BLOCK.finditer(text) for command in commands(block[2])]


class Player:
    """Types the commands in a lab, one after the other."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._digest = ""

    def play(self, command: Command) -> Command:
        """The same command with what it said now."""
        words = re.sub(r"\b[0-9a-f]{12}\b", self._digest, command.words) if self._digest else command.words
        node = self._lab.node(command.node)
        ran = subprocess.run(
            node.command(["bash", "-c", f"exec 2>&1; {words}"]),
            capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/root", "COLUMNS": "120"},
        )  # fmt: skip
        digests = DIGEST.findall(ran.stdout)
        self._digest = digests[-1] if digests else self._digest
        return Command(command.node, words, shortened(ran.stdout.splitlines()), ran.returncode)


def shortened(lines: list[str]) -> list[str]:
    """Beginning and end of what was said."""
    if len(lines) <= FIRST + LAST + 1:
        return lines
    return [*lines[:FIRST], "...", *lines[-LAST:]]


def replayed(text: str, play: Callable[[Command], Command]) -> str:
    """The document with what was said now."""

    def again(block: re.Match[str]) -> str:
        lines = [line for command in commands(block[2]) for line in play(command).lines()]
        return f"{block[1]}" + "\n".join(lines) + f"\n{block[3]}"

    return BLOCK.sub(again, text)


def main(name: str = "tutorial", document: Path = DOCUMENT) -> None:
    """Write the document anew."""
    lab = Lab(name, narrator=Narrator())
    lab.down()
    lab.up(topology="control", instances=20)
    try:
        player = Player(lab)

        def told(command: Command) -> Command:
            print("\n".join((played := player.play(command)).lines()), flush=True)
            return played

        document.write_text(replayed(document.read_text(), told))
    finally:
        lab.down()


if __name__ == "__main__":
    main()
