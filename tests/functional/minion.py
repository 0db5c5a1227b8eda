"""A whole minion process with one call of the driver in it, as salt-call --local runs it, that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.functional.bench import Bench

SALT_CALL = Path(sys.executable).with_name("salt-call")


def until(seen: Callable[[], Any], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.002)


class Minion:
    """One function of a module at work, and the service's tool below it."""

    def __init__(self, bench: Bench, function: str, **arguments: Any) -> None:
        bench._stage, bench._caller = "", None
        bench._opts()
        words = [f"{name}={json.dumps(value)}" for name, value in arguments.items()]
        config = str(bench.root / "minion")
        argv = [str(SALT_CALL), "--local", "--config-dir", config, "--out", "json", function, *words]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def tools(self, name: str) -> list[int]:
        """The processes of a tool: below this minion, by walking its children, or forked by the one that has it imported."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            with contextlib.suppress(OSError):  # it ended while it was looked at
                for task in Path(f"/proc/{pid}/task").glob("*/children"):
                    waiting += [int(child) for child in task.read_text().split()]
            text = _command_line(pid)
            if pid != self.process.pid and name in text and "forkserver" not in text:
                found.append(pid)
        numbers = [int(one) for one in os.listdir("/proc") if one.isdigit()]
        forked = [pid for pid in numbers if "".join(_command_line(pid).split(" ")[1:2]).endswith(f"/bin/{name}")]
        return found + [pid for pid in forked if pid not in found]

    def kill(self, name: str, with_tool: bool) -> None:
        """SIGKILL, the tool first where it is to die too; else it stays behind as an orphan."""
        tools = self.tools(name)
        assert tools, f"no {name} was running any more"
        for pid in [*(tools if with_tool else []), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def answer(self) -> Any:
        out, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, out
        return json.loads(out[out.index("{") :])["local"]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
