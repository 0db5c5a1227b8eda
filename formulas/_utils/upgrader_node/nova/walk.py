"""Where nova's two walks over all instances go on: request specs and mappings are made oldest instance first, from a marker.

Both walks look at every instance again, 4 ms each, done or not. A marker that stands just before the first instance with
something left to do, or at the last instance when nothing is left, spares that and is the very row nova leaves behind.
"""

import typing

from upgrader_node.database.sql import identifier, rows, scalar
from upgrader_node.nova import rows as nova_rows

LIVE = "i.deleted = 0 AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"
EVERY = "TRUE"


def _before_first_gap(connection: typing.Any, main: str, wanted: str, made: str) -> str:
    """uuid of the instance after which the walk may go on; "" for its very beginning.

    ``wanted`` selects the instances that the walk sees, ``made`` is a table, with database, that must have their uuid. The
    walk's order is nova's: created_at, id. A row without created_at has no place in it that a marker could name.
    """
    table = identifier(main) + ".instances"
    gap = "SELECT i.created_at, i.id FROM {0} i WHERE {1} AND NOT EXISTS (SELECT 1 FROM {2} t WHERE t.instance_uuid = i.uuid)"
    gap += " ORDER BY i.created_at, i.id LIMIT 1"
    first = rows(connection, gap.format(table, wanted, made))
    before, values = "TRUE", ()  # type: str, typing.Tuple[typing.Any, ...]
    if first:
        if first[0][0] is None:
            return ""
        before, values = (
            "(i.created_at < %s OR (i.created_at = %s AND i.id < %s))",
            (first[0][0], first[0][0], first[0][1]),
        )
    last = "SELECT i.uuid FROM {0} i WHERE {1} AND i.created_at IS NOT NULL AND {2} ORDER BY i.created_at DESC, i.id DESC LIMIT 1"
    return str(scalar(connection, last.format(table, wanted, before), values) or "")


def _replace(
    connection: typing.Any, delete: typing.Tuple[str, typing.Any], insert: typing.Tuple[str, typing.Any]
) -> None:
    """Old marker out, new one in, both or none: a killed minion leaves the old one."""
    rows(connection, "START TRANSACTION")
    try:
        rows(connection, *delete)
        if insert[0]:
            rows(connection, *insert)
        rows(connection, "COMMIT")
    finally:
        rows(connection, "ROLLBACK")


def park_specs(connection: typing.Any, main: str, api: str) -> str:
    """Let nova's walk for request specs begin where the first is missing; returns the marker."""
    table = identifier(api) + ".request_specs"
    wanted = _before_first_gap(connection, main, LIVE, table)
    if wanted != nova_rows.spec_marker(connection, api):
        insert = "INSERT INTO {0} (created_at, instance_uuid, spec) VALUES (UTC_TIMESTAMP(), %s, %s)".format(table)
        delete = "DELETE FROM {0} WHERE instance_uuid = %s".format(table)
        marker = nova_rows.SPEC_MARKER_UUID
        _replace(connection, (delete, (marker,)), (insert if wanted else "", (marker, wanted)))
    return wanted


def park_mappings(connection: typing.Any, main: str, api: str) -> str:
    """Let nova's walk for instance mappings begin where the first is missing; returns the marker, as nova spells it."""
    table, project = identifier(api) + ".instance_mappings", nova_rows.MAP_MARKER_PROJECT
    wanted = _before_first_gap(connection, main, EVERY, table).replace("-", " ")
    if wanted != nova_rows.map_marker(connection, api):
        insert = "INSERT INTO {0} (created_at, instance_uuid, project_id) VALUES (UTC_TIMESTAMP(), %s, %s)".format(
            table
        )
        delete = "DELETE FROM {0} WHERE project_id = %s".format(table)
        _replace(connection, (delete, (project,)), (insert if wanted else "", (wanted, project)))
    return wanted
