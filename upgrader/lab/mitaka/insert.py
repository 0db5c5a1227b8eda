"""Many rows with few statements: one multi-row INSERT per table and batch, so memory stays flat at any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

BATCH = 1000
Row = Mapping[str, Any]
Tables = dict[str, list[dict[str, Any]]]


def batches(rows: Iterable[Row], size: int = BATCH) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class Writer:
    """Inserts rows over one DB-API connection and counts what it wrote, by ``schema.table``."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.written: Counter[str] = Counter()

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        """All rows of one call have the same columns. Committed by batch: a killed run leaves whole batches only."""
        for batch in batches(rows):
            columns = list(batch[0])
            statement = (
                f"INSERT INTO {_quoted(table)} ({', '.join(f'`{column}`' for column in columns)}) "
                f"VALUES ({', '.join(['%s'] * len(columns))})"
            )
            with self._connection.cursor() as cursor:
                cursor.executemany(statement, [tuple(row[column] for column in columns) for row in batch])
            self.written[table] += len(batch)
        self._connection.commit()

    def insert_tables(self, tables: Mapping[str, Sequence[Row]]) -> None:
        """Tables in their given order, which must satisfy the foreign keys."""
        for table, rows in tables.items():
            self.insert(table, rows)


def _quoted(table: str) -> str:
    """keystone has a table named group."""
    return ".".join(f"`{word}`" for word in table.split("."))
