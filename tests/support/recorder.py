"""Stands where a database does, for tests of what would be written."""

from __future__ import annotations

from typing import Any

from upgrader.lab.mitaka import populate

Rows = dict[str, list[dict[str, Any]]]


class Recorder:
    """Stands where a DB-API connection does, and keeps what would be inserted, by table."""

    def __init__(self) -> None:
        self.rows: Rows = {}

    def cursor(self) -> Recorder:
        """It is its own cursor: there is nothing to close."""
        return self

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *ended: object) -> None:
        """What was kept stays."""

    def commit(self) -> None:
        """Nothing to do: rows are kept as they come."""

    def executemany(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        table, columns = statement.split("INSERT INTO ")[1].split(" (", 1)
        names = [name.strip("` ") for name in columns.split(")")[0].split(",")]
        self.rows.setdefault(table.replace("`", ""), []).extend(dict(zip(names, row, strict=True)) for row in rows)


def generated(instances: int = 200, seed: int = 1, **options: Any) -> Rows:
    """What ``populate`` writes, by ``schema.table``."""
    recorder = Recorder()
    populate(recorder, instances=instances, seed=seed, **options)
    return recorder.rows
