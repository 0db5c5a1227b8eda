"""The command on the lab's Salt master, as an operator has it there: shown while it runs, or asked for a document."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from upgrader.errors import LabError
from upgrader.lab.machine.attach import attach
from upgrader.lab.machine.node import Node

SECONDS = 120.0
"""For what only reads journals."""


class Master:
    """`upgrader` on the node that runs it."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def show(self, *words: str) -> int:
        """Its exit code. Terminal and interrupts are its own; all that it says is progress here, and goes to stderr."""
        return attach(self.node, ["upgrader", *words], sys.stderr)

    def ask(self, *words: str) -> dict[str, Any]:
        """The document that it prints. Raises LabError when it prints none in time."""
        try:
            ran = self.node.run(["upgrader", *words, "-o", "json"], timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise LabError(
                f"On node {self.node.name} `upgrader {' '.join(words)}` said nothing for {SECONDS:.0f} s; look at the node."
            ) from None
        document: dict[str, Any] = json.loads(ran.stdout)
        return document
