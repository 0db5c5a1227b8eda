"""Telling hooks: each in a process of its own that nobody waits for. What it does or does not do never reaches a run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from upgrader.config.keys import Hook
from upgrader.content import PACKAGE

LOG = "hooks.log"
"""Below the state folder: what came of each call."""


def tell(hooks: Iterable[Hook], document: Mapping[str, Any], state_dir: Path, **when: str) -> list[str]:
    """Start one process for each hook that wants this event; why one could not be started, where one could not.

    ``when`` has ``not_before`` and ``unless``, of ``hooks.deliver``.
    """
    orders = [
        {"hook": asdict(hook), "document": dict(document), "log": str(state_dir / LOG), **when}
        for hook in hooks
        if document["event"] in hook.events
    ]
    return [said for said in map(_start, orders) if said]


def _start(order: Mapping[str, Any]) -> str:
    """The order goes through standard input: an address may hold a token, and arguments are for everybody to read."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", str(PACKAGE / "hooks" / "deliver.py")],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(json.dumps(order).encode())
    except OSError as error:
        return f"a hook for {order['document']['event']} could not be started: {error.strerror}"
    return ""
