"""Hooks: a command or an address is told, and nothing that it does reaches the run."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from upgrader.config.keys import Hook
from upgrader.hooks import deliver
from upgrader.hooks.tell import LOG, tell

DOCUMENT = {"hook_schema": 1, "event": "failed", "sentence": "run 1: at step x, which failed: кириллица"}


def soon(ready: Callable[[], bool]) -> None:
    for _ in range(600):
        if ready():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def alive(group: int) -> bool:
    """Whether a process of the group is more than a name that nobody has asked about yet."""
    stats = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return any(int(stat[2]) == group and stat[0] != "Z" for stat in stats)


def script(folder: Path, text: str) -> Hook:
    path = folder / "hook.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Hook(("failed",), command=(str(path), "a b", "$HOME"))


def log(folder: Path) -> str:
    path = folder / LOG
    return path.read_text() if path.exists() else ""


def test_command_is_given_the_document_and_its_words_as_they_are(tmp_path: Path) -> None:
    hook = script(tmp_path, f'printf "%s|" "$@" > {tmp_path}/words; cat > {tmp_path}/told')
    assert tell([hook], DOCUMENT, tmp_path) == []
    soon(lambda: "exit code 0" in log(tmp_path))
    assert json.loads((tmp_path / "told").read_text()) == DOCUMENT
    assert (tmp_path / "words").read_text() == "a b|$HOME|"
    assert (tmp_path / LOG).stat().st_mode & 0o777 == 0o600


def test_other_events_are_not_told(tmp_path: Path) -> None:
    hook = script(tmp_path, f"echo told >> {tmp_path}/told")
    for event in ("done", "waiting", "failed", "expiring"):
        assert tell([hook], {**DOCUMENT, "event": event}, tmp_path) == []
    soon(lambda: "exit code 0" in log(tmp_path))
    assert (tmp_path / "told").read_text() == "told\n"
    assert [line.split()[1] for line in log(tmp_path).splitlines()] == ["failed"]


def test_hook_that_hangs_is_not_waited_for_and_ended_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = script(tmp_path, f"echo $$ > {tmp_path}/pid; sleep 1000")
    assert tell([hook], DOCUMENT, tmp_path) == []
    assert not log(tmp_path)
    soon(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text().strip()))
    os.killpg(int((tmp_path / "pid").read_text()), 9)
    soon(lambda: "exit code -9" in log(tmp_path))
    monkeypatch.setattr(deliver, "PATIENCE", 0.2)
    (tmp_path / "pid").unlink()
    assert deliver._run([str(tmp_path / "hook.sh")], b"") == "was ended after 0.2 seconds"
    pid = int((tmp_path / "pid").read_text())
    soon(lambda: not alive(pid))


def test_command_that_is_not_there_or_fails_is_said_in_the_log(tmp_path: Path) -> None:
    assert tell([Hook(("failed",), command=("/nonexistent",))], DOCUMENT, tmp_path) == []
    soon(lambda: "/nonexistent: could not be started: No such file or directory" in log(tmp_path))
    tell([script(tmp_path, "echo no channel >&2; exit 3")], DOCUMENT, tmp_path)
    soon(lambda: "ended with exit code 3: no channel" in log(tmp_path))


def test_address_is_posted_to_and_never_written_down(tmp_path: Path) -> None:
    posted: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    hook = Hook(("failed",), webhook=f"http://127.0.0.1:{server.server_port}/token-4711")
    tell([hook], DOCUMENT, tmp_path)
    soon(lambda: "webhook: answered 204" in log(tmp_path))
    assert posted == [("application/json", DOCUMENT)]
    server.server_close()
    tell([hook], DOCUMENT, tmp_path)
    soon(lambda: "did not answer" in log(tmp_path))
    assert "token-4711" not in log(tmp_path)


@pytest.mark.parametrize("decision", ["approved", ""])
def test_expiring_is_told_only_while_nobody_has_decided(tmp_path: Path, decision: str) -> None:
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps({"decision": decision, "expires_at": "2030-01-01T00:00:00+00:00"}))
    late = (datetime.now(timezone.utc) + timedelta(seconds=0.3)).isoformat()
    order = {"not_before": late, "unless": str(asked), "document": {"expires_at": "2030-01-01T00:00:00+00:00"}}
    assert deliver._due(order) is (decision == "")
    assert datetime.now(timezone.utc).isoformat() >= late
    asked.write_text(json.dumps({"decision": "", "expires_at": "2031-01-01T00:00:00+00:00"}))
    assert deliver._due(order) is False, "it was asked for anew, and that has its own time"
    asked.unlink()
    assert deliver._due(order) is False
