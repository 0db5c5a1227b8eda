"""What transport ssh runs on a node, run here as it is run there: a Python that reads the program and its request from its input."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.spool import WITHOUT_MASTER

from upgrader.transport.ssh.link import READ_AND_RUN, TOOL

WRITES = """
import json, os, sys, time
order = sys.argv[-1]
wanted = json.load(open(order))
assert wanted["function"] == "do.it"
time.sleep(wanted["args"].get("seconds", 0))
if "code" in wanted["args"]:
    sys.exit(wanted["args"]["code"])
with open(os.path.join(os.path.dirname(order), "reply.json"), "w") as file:
    json.dump({"return": wanted["args"], "retcode": 0, "success": True, "umask": os.umask(0)}, file)
"""
"""Stands where thin's salt-call does."""


class Node:
    """A folder as a node has it."""

    def __init__(self, folder: Path) -> None:
        self.base, self.thin = folder / "base", folder / "thin"
        self.thin.mkdir()
        (self.thin / "salt-call").write_text(WRITES)
        (self.thin / "version").write_text("3008.4")

    def ask(self, do: str, more: bytes = b"", **request: Any) -> Any:
        tool = TOOL.read_bytes()
        given = {"do": do, "node": "n1.lab", "base": str(self.base), "thin": str(self.thin), "version": "v1", **request}
        body = tool + json.dumps(given).encode() + b"\n" + more
        argv = [sys.executable, "-c", READ_AND_RUN, str(len(tool))]
        ran = subprocess.run(argv, input=body, capture_output=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return json.loads(ran.stdout)

    def start(self, jid: str, **args: Any) -> Any:
        return self.ask("start", jid=jid, function="do.it", args=args, pillar={"secret": "s3cret"})

    def runs(self, jid: str) -> bool:
        return bool(self.ask("running", jids=[jid])[jid])

    def reply(self, jid: str) -> Any:
        return self.ask("replies", jids=[jid]).get(jid)

    def job(self, jid: str) -> Path:
        return self.base / "jobs" / jid


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def until(seen: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_job_outlives_who_started_it_and_its_reply_waits(node: Node) -> None:
    began = time.monotonic()
    assert node.start("1", seconds=2) == {"started": True}
    assert time.monotonic() - began < 2
    assert node.runs("1") and node.reply("1") is None
    until(lambda: node.reply("1"))
    assert node.reply("1")["return"] == {"seconds": 2}
    assert not node.runs("1")


def test_job_is_known_once_it_was_begun_and_never_begun_twice(node: Node) -> None:
    assert node.ask("known", jids=["1"]) == {"1": False}
    node.start("1", word="first")
    assert node.start("1", word="second") == {"started": False}
    until(lambda: node.reply("1"))
    assert node.reply("1")["return"] == {"word": "first"}
    assert node.ask("known", jids=["1", "2"]) == {"1": True, "2": False}
    assert node.reply("2") is None and not node.runs("2")


def test_job_that_is_killed_neither_runs_nor_answers(node: Node) -> None:
    node.start("1", seconds=60)
    until(lambda: _processes(node.job("1")))
    assert {os.getsid(pid) for pid in _processes(node.job("1"))}.isdisjoint({os.getsid(0)})
    for pid in _processes(node.job("1")):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not node.runs("1"))
    assert node.reply("1") is None


def _processes(job: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(job / "order.json").encode() in line:
                found.append(int(entry.name))
    return found


def test_salt_that_ends_without_a_reply_is_told_with_its_last_words(node: Node) -> None:
    node.start("1", code="no room left")
    until(lambda: node.reply("1"))
    assert node.reply("1") == {
        "return": "salt-call ended with exit code 1: no room left\n", "retcode": 1, "success": False,
    }  # fmt: skip


def test_files_are_the_owners_alone_the_pillar_goes_and_states_get_the_usual_rights(node: Node) -> None:
    node.start("1", seconds=1)
    assert json.loads((node.job("1") / "pillar" / "given.sls").read_text().split("\n", 1)[1]) == {"secret": "s3cret"}
    for path in [node.base, *node.base.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    until(lambda: not (node.job("1") / "pillar").exists())
    assert [path for path in node.base.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()] == []
    assert node.reply("1")["umask"] == 0o022


def test_configuration_of_a_job_asks_no_master(node: Node) -> None:
    node.start("1")
    said = json.loads((node.job("1") / "minion").read_text())
    assert (said["id"], said["file_client"], said[WITHOUT_MASTER]) == ("n1.lab", "local", True)
    assert said["extension_modules"] == f"{said['cachedir']}/extmods"


def test_formulas_are_placed_whole_with_their_modules_where_salt_looks(node: Node) -> None:
    body = archive({"_modules/a.py": b"1", "_utils/upgrader_node/b.py": b"2", "upgrader/c.sls": b"3"})
    assert not node.ask("look")["formulas"]
    for _ in range(2):
        node.ask("place", body, bytes=len(body))
    assert node.ask("look") == {
        "uid": os.getuid(),
        "python": list(sys.version_info[:2]),
        "thin": "3008.4",
        "formulas": True,
    }
    home = node.base / "v1"
    assert (home / "roots" / "upgrader" / "c.sls").read_bytes() == b"3"
    assert (home / "cache" / "extmods" / "modules" / "a.py").read_bytes() == b"1"
    assert (home / "cache" / "extmods" / "utils" / "upgrader_node" / "b.py").read_bytes() == b"2"
    assert list(node.base.iterdir()) == [home]


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return out.getvalue()


def test_archive_that_was_cut_leaves_nothing_that_is_taken_for_whole(node: Node) -> None:
    body = archive({"a": os.urandom(100_000)})
    with pytest.raises(AssertionError, match=r"EOFError|ReadError|Compressed file ended"):
        node.ask("place", body[: len(body) // 2], bytes=len(body))
    assert not node.ask("look")["formulas"]


def test_jobs_of_last_week_are_swept_away_unless_they_run(node: Node) -> None:
    node.start("1")
    node.start("2", seconds=4)
    until(lambda: node.reply("1"))
    until(lambda: not (node.job("1") / "pillar").exists())
    old = time.time() - 8 * 24 * 3600
    for jid in ("1", "2"):
        os.utime(node.job(jid), (old, old))
    node.start("3")
    assert not node.job("1").exists() and node.job("2").exists() and node.job("3").exists()


def test_thin_that_is_not_whole_is_none(node: Node) -> None:
    (node.thin / "version").unlink()
    assert node.ask("look")["thin"] == ""
