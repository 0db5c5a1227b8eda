"""Odd values that real clouds have in their rows and that both releases' APIs tolerate, planted in a source and in its upgraded copy.

Each changes one column of one row in both, so that the upgrade itself need not be done again for each example. Where a table or
a column has another name after the upgrade, both names stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pymysql

URL = "http://10.0.0.9:9292/images/5d4c1e0a-0000-4000-8000-00000000000a?x=1"
Query = Callable[..., list[Any]]


class Odd(NamedTuple):
    """``table`` and ``column`` are Mitaka's, ``now`` Ocata's where they differ: ``suffix of the database, table, column``."""

    service: str
    table: str
    column: str
    values: tuple[Any, ...]
    key: str = "id"
    live: str = "deleted = 0"
    now: tuple[str, str, str] = ("", "", "")

    def after(self) -> tuple[str, str, str]:
        return self.now if self.now[1] else ("", self.table, self.column)


FLAVOR = ("_api", "flavors")
ODDITIES = (
    Odd("nova", "instances", "vm_state", (None, "soft-delete", "soft_delete", "error", "odd"), "uuid"),
    Odd("nova", "instances", "display_name", (None, "", " two  words "), "uuid"),
    Odd("nova", "instances", "user_id", (None, ""), "uuid"),
    Odd("nova", "instances", "image_ref", (None, "", URL), "uuid"),
    Odd("nova", "instances", "host", (None, "a-host-that-is-gone"), "uuid"),
    Odd("nova", "instances", "key_name", (None, ""), "uuid"),
    Odd("nova", "instances", "instance_type_id", (None, 999_999), "uuid"),
    Odd("nova", "instances", "task_state", ("odd", ""), "uuid"),
    Odd("nova", "instances", "created_at", (None,), "uuid"),
    Odd("nova", "instances", "cleaned", (None, 1), "uuid"),
    Odd("nova", "instance_info_caches", "deleted", (1,)),
    Odd("nova", "services", "binary", (None, "nova-ec2", "nova-metadata", "nova-osapi_compute", "nova-cells", "NOVA-EC2")),
    Odd("nova", "services", "host", (None, "")),
    Odd("nova", "services", "topic", (None, "")),
    Odd("nova", "services", "disabled_reason", (None, "", "AUTO: x")),
    Odd("nova", "instance_types", "disabled", (0, 1), "flavorid", now=(*FLAVOR, "disabled")),
    Odd("nova", "instance_types", "is_public", (0, 1), "flavorid", now=(*FLAVOR, "is_public")),
    Odd("nova", "instance_types", "swap", (0, 7), "flavorid", now=(*FLAVOR, "swap")),
    Odd("cinder", "volumes", "attach_status", (None, "detached", "attached", "attaching", "error_detaching")),
    Odd("cinder", "volumes", "status", (None, "managing", "error_managing", "error_managing_deleting", "odd")),
    Odd("cinder", "volumes", "migration_status", ("target:5d4c1e0a-0000-4000-8000-00000000000a", "starting", "")),
    Odd("cinder", "volumes", "size", (None, 0)),
    Odd("cinder", "volumes", "display_name", (None, "")),
    Odd("cinder", "volumes", "bootable", (None, 1)),
    Odd("cinder", "volumes", "project_id", (None, "")),
    Odd("cinder", "volumes", "user_id", (None, "")),
    Odd("cinder", "volumes", "deleted", (None,)),
    Odd("cinder", "volumes", "volume_type_id", (None, "")),
    Odd("cinder", "volumes", "created_at", (None,)),
    Odd("cinder", "volume_types", "name", (None, "")),
    Odd("cinder", "volume_attachment", "attach_status", (None, "attached", "detached", "error_detaching")),
    Odd("cinder", "volume_attachment", "deleted", (None, 1)),
    Odd("glance", "images", "status", ("killed", "pending_delete", "queued", "deleted", "deactivated", "odd")),
    Odd("glance", "images", "disk_format", (None, "odd")),
    Odd("glance", "image_properties", "name", ("id", "owner", "self")),
    Odd("glance", "image_locations", "status", ("pending_delete", "odd")),
    Odd("glance", "images", "name", (None, "")),
    Odd("glance", "images", "size", (None, 0)),
    Odd("glance", "images", "owner", (None, "")),
    Odd("glance", "images", "checksum", (None, "")),
    Odd("glance", "images", "container_format", (None, "docker")),
    Odd("keystone", "service", "extra", ("{}", '{"name": null}', '{"enabled": false, "type": "x"}'), live="1 = 1"),
    Odd("neutron", "networks", "name", (None, ""), live="1 = 1"),
    Odd("neutron", "networks", "status", (None, "ODD"), live="1 = 1"),
    Odd("neutron", "networks", "admin_state_up", (None, 0), live="1 = 1"),
    Odd("neutron", "networks", "tenant_id", (None, ""), live="1 = 1", now=("", "networks", "project_id")),
)  # fmt: skip
Choice = tuple[Odd, Any, int]
CHOICES = [(odd, value) for odd in ODDITIES for value in odd.values]

# What is there before the upgrade: public bug reports' rows, which the whole way has to live with. Names in curly brackets are
# the services' databases.
LAST = "deleted = 0 ORDER BY id DESC LIMIT 1"
REPORTED = (
    # nova 4140eb4004: EC2 was removed, its service's row stays.
    "INSERT INTO {nova}.services (created_at, host, `binary`, report_count, disabled, deleted, forced_down, version)"
    " VALUES ('2014-05-01', '10.30.255.11', 'nova-ec2', 0, 0, 0, 0, 0)",
    # Launchpad 1568034: reset-state left the attachment.
    "UPDATE {cinder}.volumes SET status = 'available', attach_status = 'detached' WHERE deleted = 0 AND attach_status = 'attached'"
    " ORDER BY id DESC LIMIT 2",
    # Launchpad 1172153: a flavor was deleted, and its access row was not.
    "INSERT INTO {nova}.instance_type_projects (created_at, instance_type_id, project_id, deleted)"
    " SELECT '2013-02-01', t.id, REPEAT('a', 32), 0 FROM {nova}.instance_types t WHERE t.deleted <> 0 LIMIT 1",
    # Cinder's services.host may be NULL.
    "INSERT INTO {cinder}.services (created_at, deleted, `binary`, topic, report_count, disabled)"
    " VALUES ('2014-05-01', 0, 'cinder-volume', 'cinder-volume', 10, 0)",
    # An upload that failed with glance's first API, a service of no type, a server in deferred deletion, one of no state, and
    # one whose flavor was purged and whose image is named by a URL.
    f"UPDATE {{glance}}.images SET status = 'killed' WHERE {LAST}",
    "INSERT INTO {keystone}.service (id, type, enabled, extra) VALUES ('odd', NULL, 0, '{{}}')",
    f"UPDATE {{nova}}.instances SET vm_state = 'soft-delete' WHERE {LAST}",
    f"UPDATE {{nova}}.instances SET vm_state = NULL, user_id = NULL WHERE vm_state <> 'soft-delete' AND {LAST}",
    f"UPDATE {{nova}}.instances SET instance_type_id = 999999, image_ref = '{URL}' WHERE vm_state = 'active' AND {LAST}",
)


def plant(query: Query, database: Callable[[str], str]) -> None:
    names = {service: database(service) for service in ("keystone", "glance", "nova", "cinder")}
    for statement in REPORTED:
        query(statement.format(**names))


class Cloud:
    """Where a source and its upgraded copy stand: functions that give the name of a service's first database."""

    def __init__(self, query: Query, before: Callable[[str], str], after: Callable[[str], str]) -> None:
        self.query, self.before, self.after = query, before, after

    def ids(self, odd: Odd) -> list[Any]:
        """Keys of live rows that both have, in order."""
        suffix, table, _ = odd.after()
        held = [
            {row[0] for row in self.query(f"SELECT {odd.key} FROM {base}.{name} WHERE {live}")}
            for base, name, live in (
                (self.before(odd.service), odd.table, odd.live),
                (self.after(odd.service) + suffix, table, "1 = 1" if suffix else odd.live),
            )
        ]
        return sorted(held[0] & held[1])

    def places(self, odd: Odd) -> list[tuple[str, str]]:
        """(table, column) in the source and in the copy, as statements name them."""
        suffix, table, column = odd.after()
        return [
            (f"{self.before(odd.service)}.{odd.table}", f"`{odd.column}`"),
            (f"{self.after(odd.service)}{suffix}.{table}", f"`{column}`"),
        ]

    @contextmanager
    def planted(self, choices: Sequence[Choice]) -> Iterator[list[str]]:
        """Every oddity in both databases; the old values are back afterwards, the last change first."""
        undo: list[tuple[str, tuple[Any, ...]]] = []
        told = []
        try:
            for odd, value, number in choices:
                ids = self.ids(odd)
                identity = ids[number % len(ids)]
                if self._changed(odd, identity, value, undo):
                    told.append(f"{odd.service}.{odd.table} {identity}: {odd.column} = {value!r}")
            yield told
        finally:
            self._back(undo)

    def _changed(self, odd: Odd, identity: Any, value: Any, undo: list[tuple[str, tuple[Any, ...]]]) -> bool:
        """Whether both databases took the value; one that a unique key refuses is in neither."""
        done: list[tuple[str, tuple[Any, ...]]] = []
        try:
            for table, column in self.places(odd):
                old = self.query(f"SELECT {column} FROM {table} WHERE {odd.key} = %s", (identity,))[0][0]
                change = f"UPDATE {table} SET {column} = %s WHERE {odd.key} = %s"
                self.query(change, (value, identity))
                done.append((change, (old, identity)))
        except pymysql.IntegrityError:
            self._back(done)
            return False
        undo += done
        return True

    def _back(self, undo: list[tuple[str, tuple[Any, ...]]]) -> None:
        for change, values in reversed(undo):
            self.query(change, values)
