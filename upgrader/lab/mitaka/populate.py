"""Fills empty Mitaka schemas: of nova (319 and 7), keystone (97), glance (44), cinder (72), neutron (4ffceebfcdc), heat (71)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from upgrader.lab.mitaka import identity, images, networks, ports, stacks, volumes
from upgrader.lab.mitaka.fabric import Usage, after_instances, before_instances
from upgrader.lab.mitaka.insert import Tables, Writer
from upgrader.lab.mitaka.instances import TABLES, Ids, Instance, instance_tables
from upgrader.lab.mitaka.shape import Shape

CHUNK = 500
SERVICES = ("keystone", "glance", "nova", "cinder", "neutron", "heat")
FOLLOWS_INSTANCES = {"nova", "cinder", "neutron", "heat"}
Progress = Callable[[str, int, int], None]


def populate(
    connection: Any,
    *,
    instances: int,
    seed: int = 1,
    services: Collection[str] = SERVICES,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Insert the rows of a cloud with ``instances`` instances; the same arguments give the same rows, byte for byte.

    ``connection`` is an open DB-API connection (PyMySQL) that may write to the schemas of ``services``; a service's rows
    are the same whether the others are written or not. ``progress`` hears (what, done, total). Returns the rows written
    by ``schema.table``. Not resumable: drop the schemas after a failure.
    """
    shape, writer = Shape(instances, seed), Writer(connection)
    say = progress or (lambda what, done, total: None)
    say("hosts, flavors and projects", 0, instances)
    rooms = _Rooms(shape, services)
    for tables in rooms.before():
        writer.insert_tables(tables)
    if FOLLOWS_INSTANCES.isdisjoint(services):
        return dict(writer.written)
    done = 0
    for chunk in _chunks(shape):
        for tables in rooms.of_instances(chunk):
            writer.insert_tables(tables)
        done += len(chunk)
        say("instances", done, instances)
    say("usage of hosts and quotas", instances, instances)
    for tables in rooms.after():
        writer.insert_tables(tables)
    return dict(writer.written)


class _Rooms:
    """What each service has before, for and after the instances; sums and running numbers go along."""

    def __init__(self, shape: Shape, services: Collection[str]) -> None:
        self.shape, self.services = shape, services
        self.ids, self.usage = Ids(), Usage()
        self.sums: Counter[tuple[str, str]] = Counter()

    def before(self) -> Iterator[Tables]:
        shape = self.shape
        if "keystone" in self.services:
            yield identity.fixed(shape)
        if "glance" in self.services:
            yield images.fixed(shape)
        if "nova" in self.services:
            yield before_instances(shape)
        if "cinder" in self.services:
            yield self._summed(volumes.fixed(shape))
        if "neutron" in self.services:
            yield networks.fixed(shape, self.ids)
        if "heat" in self.services:
            yield stacks.fixed(shape)

    def of_instances(self, chunk: Sequence[Instance]) -> Iterator[Tables]:
        """nova's rows are drawn whether they are written or not: with them each instance gets its port and its volume."""
        nova: Tables = {table: [] for table in TABLES}
        for instance in chunk:
            self.usage.add(instance)
            for table, rows in instance_tables(instance, self.ids).items():
                nova[table].extend(rows)
        if "nova" in self.services:
            yield nova
        if "cinder" in self.services:
            yield self._summed(volumes.of_instances(chunk))
        if "neutron" in self.services:
            yield ports.of_instances(self.shape, chunk, self.ids)
        if "heat" in self.services:
            yield stacks.of_instances(chunk, self.ids)

    def after(self) -> Iterator[Tables]:
        if "nova" in self.services:
            yield after_instances(self.shape, self.usage)
        if "cinder" in self.services:
            yield volumes.after_instances(self.sums)

    def _summed(self, tables: Tables) -> Tables:
        for key, amount in volumes.usage(tables):
            self.sums[key] += amount
        return tables


def _chunks(shape: Shape) -> Iterator[list[Instance]]:
    """A few hundred instances at a time: big statements, flat memory."""
    for start in range(0, shape.instances, CHUNK):
        yield [Instance(shape, number) for number in range(start, min(start + CHUNK, shape.instances))]
