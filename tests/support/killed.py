"""A piece of work killed at every line of some files, each time in a process of its own, as SIGKILL would: nothing is cleaned up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

KILLED, DONE, FAILED = 9, 0, 1


def kill_points(work: Callable[[], object], below: str, step: int = 1) -> Iterator[int]:
    """Yields after each kill, with its number, until the work came to its end. The caller puts the world back before each."""
    number = 1
    while True:
        status = _in_child(work, below, number)
        if status == DONE:
            return
        assert status == KILLED, f"the work itself failed with {status} before kill {number}"
        yield number
        number += step


def _in_child(work: Callable[[], object], below: str, number: int) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = FAILED
    try:
        left = [number]

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            if below not in frame.f_code.co_filename:
                return None
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    os._exit(KILLED)
            return trace

        sys.settrace(trace)
        work()
        status = DONE
    finally:
        sys.settrace(None)
        os._exit(status)
