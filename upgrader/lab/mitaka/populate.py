"""Fills empty Mitaka schemas ``nova`` (319) and ``nova_api`` (7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from upgrader.lab.mitaka.fabric import Usage, after_instances, before_instances
from upgrader.lab.mitaka.insert import Writer
from upgrader.lab.mitaka.instances import TABLES, Ids, Instance, Tables, instance_tables
from upgrader.lab.mitaka.shape import Shape

CHUNK = 500
Progress = Callable[[str, int, int], None]


def populate(connection: Any, *, instances: int, seed: int = 1, progress: Progress | None = None) -> dict[str, int]:
    """Insert the rows of a cloud with ``instances`` instances; the same arguments give the same rows, byte for byte.

    ``connection`` is an open DB-API connection (PyMySQL) that may write to both schemas. ``progress`` hears
    (what, done, total). Returns the rows written by ``schema.table``. Not resumable: drop the schemas after a failure.
    """
    shape, writer, usage = Shape(instances, seed), Writer(connection), Usage()
    say = progress or (lambda what, done, total: None)
    say("hosts, flavors and projects", 0, instances)
    writer.insert_tables(before_instances(shape))
    done = 0
    for chunk in _chunks(shape, usage):
        writer.insert_tables({table: chunk[table] for table in TABLES})
        done += len(chunk["nova.instances"])
        say("instances", done, instances)
    say("usage of hosts and quotas", instances, instances)
    writer.insert_tables(after_instances(shape, usage))
    return dict(writer.written)


def _chunks(shape: Shape, usage: Usage) -> Iterator[Tables]:
    """The tables of a few hundred instances at a time: big statements, flat memory."""
    ids = Ids()
    for start in range(0, shape.instances, CHUNK):
        chunk: Tables = {table: [] for table in TABLES}
        for number in range(start, min(start + CHUNK, shape.instances)):
            instance = Instance(shape, number)
            usage.add(instance)
            for table, rows in instance_tables(instance, ids).items():
                chunk[table].extend(rows)
        yield chunk
