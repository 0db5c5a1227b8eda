"""Old servers and old nodes: no statement that MySQL 5.6 lacks, and what runs on a node's own Python is old Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from upgrader_node.clone import tablespaces
from upgrader_node.database import galera, sql
from upgrader_node.nova import rows

FORMULAS = Path(__file__).resolve().parents[3] / "formulas"
# What came later than MySQL 5.6 or MariaDB 10.0, whichever is the younger, as it would stand in a statement.
YOUNGER = re.compile(
    r"(CREATE|DROP|ALTER) USER|CREATE OR REPLACE|CREATE ROLE|@@(GLOBAL\.|SESSION\.)?(innodb_default_row_format|wsrep_\w+)"
    r"|\bJSON_[A-Z]+\(|SET STATEMENT|max_statement_time|max_execution_time|WITH RECURSIVE|\bOVER *\(|\bRETURNING\b"
    r"|generation_expression|SKIP LOCKED|RELEASE_ALL_LOCKS|REGEXP_|ANY_VALUE|DROP COLUMN IF EXISTS|ADD COLUMN IF NOT EXISTS"
)


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file that is no docstring."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def test_no_statement_is_younger_than_mysql_5_6() -> None:
    files = list(FORMULAS.rglob("*.py"))
    assert len(files) > 80
    used = [
        f"{path.relative_to(FORMULAS)}:{line} {text}"
        for path in files
        for line, text in strings(path)
        if YOUNGER.search(text)
    ]
    assert used == []


def test_statement_that_is_younger_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text('"""CREATE USER is told here."""\nx = "CREATE USER IF NOT EXISTS a"\n')
    assert [line for line, text in strings(path) if YOUNGER.search(text)] == [2]


def test_plain_mysql_is_not_told_of_wsrep(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, str] = {}
    monkeypatch.setattr(sql, "variable", lambda connection, name: known.get(name))
    assert galera.locally(None) == ("SET SESSION sql_log_bin = 0",)
    known["wsrep_on"] = "OFF"
    assert galera.locally(None) == ("SET SESSION wsrep_on = OFF", "SET SESSION sql_log_bin = 0")


def test_server_without_a_default_row_format_makes_compact_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "variable", lambda connection, name: None)
    assert tablespaces.usual_row_format(None) == "COMPACT"
    monkeypatch.setattr(sql, "variable", lambda connection, name: "dynamic")
    assert tablespaces.usual_row_format(None) == "DYNAMIC"


def test_table_that_antelope_cannot_make_goes_by_dump(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "t.ibd").touch()
    answers = {"innodb_default_row_format": None}
    monkeypatch.setattr(sql, "variable", lambda connection, name: answers[name])
    monkeypatch.setattr(sql, "rows", lambda *_: [("t", "InnoDB", "BASE TABLE", "Dynamic", "")])
    monkeypatch.setattr(sql, "scalar", lambda *_: 0)
    assert "table t is Dynamic" in tablespaces.unfit(None, "shop", str(tmp_path))
    answers["innodb_default_row_format"] = "dynamic"  # type: ignore[assignment]
    assert tablespaces.unfit(None, "shop", str(tmp_path)) == ""


def test_specs_are_read_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = '{"nova_object.data": {"instance_group": {"nova_object.data": {"name": "g"}}}}'
    portions = [[(number, broken) for number in range(1, rows.SPECS_AT_ONCE + 1)], [(9999, broken), (10000, "{")]]
    asked: list[int] = []

    def answer(connection: None, statement: str, values: tuple[int, str, str]) -> list[tuple[int, str]]:
        asked.append(values[0])
        return portions.pop(0)

    monkeypatch.setattr(rows, "rows", answer)
    assert rows.broken_group_specs(None, "nova_api") == rows.SPECS_AT_ONCE + 1
    assert asked == [0, rows.SPECS_AT_ONCE]


def test_program_that_runs_on_a_nodes_own_python_is_python_3_4() -> None:
    """The backup store may be Ubuntu 14.04; everything else runs in Salt's Python."""
    for path in (FORMULAS / "upgrader" / "backup" / "files").glob("upgrader-*"):
        ast.parse(path.read_text(), feature_version=(3, 4))
