"""Runs a command in a node as if it ran here: same terminal, same pipes, same interrupts, same exit code."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from types import FrameType
from typing import IO

from upgrader.lab.machine.node import Node, node_environment
from upgrader.lab.machine.process import children

INTERRUPTS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


def attach(node: Node, words: Sequence[str], output: IO[str] | None = None) -> int:
    """Returns the command's exit code, or 128 plus the signal that ended it. Its output goes to ``output``, else where ours goes.

    `nsenter` waits for the command and has to outlive an interrupt that is meant for the command, so it ignores them
    all; the command itself gets default handlers. At a terminal an interrupt reaches the whole foreground group by
    itself; without one the command has a group of its own and the signal is handed on: it comes exactly once either way.
    """
    at_terminal = os.isatty(0)

    def isolate() -> None:
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)
        if not at_terminal:
            os.setpgid(0, 0)

    child = subprocess.Popen(node.command(words), env=node_environment(), preexec_fn=isolate, stdout=output)

    def hand_on(number: int, frame: FrameType | None) -> None:
        if at_terminal and number in (signal.SIGINT, signal.SIGQUIT):
            return
        for pid in children(child.pid):
            os.kill(pid, number)

    before = {number: signal.signal(number, hand_on) for number in INTERRUPTS}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
