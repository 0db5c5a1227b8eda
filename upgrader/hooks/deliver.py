"""A program of its own, which needs nothing but Python: one call of one hook. Reads its order on standard input, notes what came of it.

The order: ``hook``, ``document``, ``log``, and for an event of later ``not_before`` (ISO 8601) and ``unless`` (a file: when it has
another ``decision`` than none by then, or is gone, nobody is told).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

PATIENCE = 30
"""Seconds that a command or an address has; then it is ended."""
SHOWN = 200


def main() -> None:
    """Deliver one order. Who started this does not wait."""
    order = json.loads(sys.stdin.buffer.read())
    if not _due(order):
        return
    hook, body = order["hook"], json.dumps(order["document"], sort_keys=True).encode()
    came = _post(hook["webhook"], body) if hook["webhook"] else _run(hook["command"], body)
    name = "webhook" if hook["webhook"] else hook["command"][0]
    _note(Path(order["log"]), f"{_now()} {order['document']['event']} {name}: {came}\n")


def _due(order: Mapping[str, Any]) -> bool:
    """Wait until it is time; then whether there is still something to tell."""
    if "not_before" not in order:
        return True
    until = datetime.fromisoformat(order["not_before"].replace("Z", "+00:00")).timestamp()
    while time.time() < until:
        time.sleep(min(60.0, max(0.1, until - time.time())))
    try:
        asked = json.loads(Path(order["unless"]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return not asked.get("decision") and asked.get("expires_at") == order["document"]["expires_at"]


def _run(command: list[str], body: bytes) -> str:
    """The command in a process group of its own, with the document on its standard input and no output kept but its last words."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        return f"could not be started: {error.strerror}"
    try:
        _, said = process.communicate(body, PATIENCE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"was ended after {PATIENCE} seconds"
    words = " ".join(said.decode(errors="replace").split())[-SHOWN:]
    return f"ended with exit code {process.returncode}" + (f": {words}" if process.returncode and words else "")


def _post(url: str, body: bytes) -> str:
    """What the server answered. The address itself is not said: it may hold a token."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", "User-Agent": "upgrader"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return f"answered {answer.status}"
    except urllib.error.HTTPError as error:
        return f"answered {error.code}"
    except (OSError, ValueError) as error:
        return f"did not answer ({type(error).__name__})"


def _note(log: Path, line: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(line)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


if __name__ == "__main__":
    main()
