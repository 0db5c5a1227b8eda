"""The record of schema changes: what is forgiven to a migration that was cut off, and what is not."""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.schema import resume

HEADER = '{"phase": "expand"}'
VERSION = "UPDATE migrate_version SET version=2"
ADD, DROP = "ALTER TABLE t ADD COLUMN c INT", "ALTER TABLE t DROP FOREIGN KEY k"
ADD_KEY = "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY(a) REFERENCES b (id)"


class Server:
    """Takes statements, and refuses those that it was told to, with MySQL's number."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refused: dict[str, int] = {}

    def execute(self, query: str) -> int:
        if query in self.refused:
            raise RuntimeError(self.refused[query], "refused")
        self.done.append(query)
        return 1


class Tool:
    """A tool's process: the program has run, and the tool's statements go through the driver's cursor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, record: Path, server: Server) -> None:
        class Cursor:
            rowcount, description = 1, ("x",)

            def execute(self, query: str, args: Any = None) -> int:
                return server.execute(query)

        module = types.ModuleType("pymysql")
        module.cursors = types.SimpleNamespace(Cursor=Cursor)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pymysql", module)
        self.descriptor = os.open(record, os.O_RDWR)
        monkeypatch.setattr(sys, "argv", ["-c", str(self.descriptor), "/bin/tool"])
        exec(compile(resume.PROGRAM, "program", "exec"), {})
        assert sys.argv == ["-c", "/bin/tool"]
        self.execute = Cursor().execute


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "record"
    file.write_text(HEADER + "\n")
    yield file


def changes(record: Path) -> list[str]:
    header, *lines = record.read_text().splitlines()
    assert header == HEADER
    return [item["change"] for item in map(json.loads, lines) if "change" in item]


def cut_after(record: Path, *statements: str) -> None:
    record.write_text("\n".join([HEADER, *(json.dumps({"change": one}) for one in statements)]) + "\n")


def test_changes_are_written_down_until_their_version_is(monkeypatch: pytest.MonkeyPatch, record: Path) -> None:
    tool = Tool(monkeypatch, record, Server())
    tool.execute("SELECT 1")
    tool.execute("\n" + ADD)
    tool.execute("UPDATE t SET c = 1")
    assert changes(record) == [ADD]
    tool.execute(VERSION)
    assert changes(record) == []


def test_a_change_that_fails_is_not_kept_and_so_never_forgiven(monkeypatch: pytest.MonkeyPatch, record: Path) -> None:
    server = Server()
    server.refused[ADD] = 1060
    for _ in range(2):
        with pytest.raises(RuntimeError, match="1060"):
            Tool(monkeypatch, record, server).execute(ADD)
        assert changes(record) == []


def test_what_was_done_before_the_cut_is_forgiven_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_after(record, ADD)
    server = Server()
    server.refused.update({ADD: 1060, "ALTER TABLE t ADD COLUMN d INT": 1060, "INSERT INTO t VALUES (1)": 1062})
    tool = Tool(monkeypatch, record, server)
    assert tool.execute(ADD) == 0
    assert "was done before it was cut off: " + ADD in capsys.readouterr().err
    for other in ("ALTER TABLE t ADD COLUMN d INT", "INSERT INTO t VALUES (1)"):
        with pytest.raises(RuntimeError):
            tool.execute(other)
    tool.execute(VERSION)
    with pytest.raises(RuntimeError, match="1060"):
        tool.execute(ADD)


def test_another_error_of_a_known_change_is_an_error(monkeypatch: pytest.MonkeyPatch, record: Path) -> None:
    cut_after(record, ADD)
    server = Server()
    server.refused[ADD] = 1205
    with pytest.raises(RuntimeError, match="1205"):
        Tool(monkeypatch, record, server).execute(ADD)


def test_a_key_that_was_dropped_and_is_not_made_anew_keeps_the_version_back(
    monkeypatch: pytest.MonkeyPatch, record: Path
) -> None:
    cut_after(record, DROP)
    server = Server()
    with pytest.raises(RuntimeError, match="not gone on with: ALTER TABLE t DROP FOREIGN KEY"):
        Tool(monkeypatch, record, server).execute(VERSION)
    assert server.done == []


@pytest.mark.parametrize(
    ("before", "again"),
    [
        ([DROP], [DROP, ADD_KEY]),
        ([DROP, ADD_KEY], []),
        ([DROP], ["DROP TABLE t"]),
        ([DROP, ADD_KEY], ["ALTER TABLE t DROP FOREIGN KEY another", ADD_KEY]),
    ],
)
def test_a_key_that_is_there_again_or_gone_with_its_table_is_well(
    monkeypatch: pytest.MonkeyPatch, record: Path, before: list[str], again: list[str]
) -> None:
    cut_after(record, *before)
    server = Server()
    tool = Tool(monkeypatch, record, server)
    for statement in [*again, VERSION]:
        tool.execute(statement)
    assert server.done == [*again, VERSION]


def test_a_key_that_was_surely_made_is_not_made_twice(monkeypatch: pytest.MonkeyPatch, record: Path) -> None:
    """MySQL takes a second, equal foreign key without a name for another one."""
    cut_after(record, ADD_KEY)
    server = Server()
    Tool(monkeypatch, record, server).execute(ADD_KEY)
    assert server.done == [ADD_KEY], "whether it was made before the cut is not known"
    Tool(monkeypatch, record, server).execute(ADD_KEY)
    assert server.done == [ADD_KEY]
