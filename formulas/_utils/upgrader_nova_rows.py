"""What nova's databases say about the progress of an upgrade: the truth that exit codes do not tell. Read only, but for
``repair_cell`` and ``forget_spec_marker``, which change single rows of the copy's own bookkeeping."""

import typing

from upgrader_database import column_names, identifier, rows, scalar, schema_version, table_names

CELL0_UUID = "00000000-0000-0000-0000-000000000000"
SPEC_MARKER_UUID = "00000000-0000-0000-0000-000000000000"
MAP_MARKER_PROJECT = "INSTANCE_MIGRATION_MARKER"
# Main-database tables whose live rows migration 345 forbids, with nova's word for them.
MOVED_OUT = (
    ("instance_types", "flavors"),
    ("key_pairs", "keypairs"),
    ("aggregates", "aggregates"),
    ("instance_groups", "instance groups"),
)


class Cell(typing.NamedTuple):
    """A row of cell_mappings. The URLs are secrets."""

    id: int
    uuid: str
    name: str
    transport_url: str
    database_connection: str

    def __repr__(self) -> str:
        return "Cell({0!r}, {1})".format(self.name, self.uuid)


def versions(connection: typing.Any, main: str, api: str, cell0: str) -> typing.Dict[str, typing.Optional[int]]:
    """Schema versions of the three databases; None for one that is empty, missing or not granted."""
    return {
        "api": schema_version(connection, api),
        "main": schema_version(connection, main),
        "cell0": schema_version(connection, cell0),
    }


def cells(connection: typing.Any, api: str) -> typing.List[Cell]:
    """All cell mappings, oldest first; none when the table does not exist yet."""
    if "cell_mappings" not in table_names(connection, api):
        return []
    columns = "id, uuid, COALESCE(name, ''), COALESCE(transport_url, ''), COALESCE(database_connection, '')"
    statement = "SELECT " + columns + " FROM {0}.cell_mappings ORDER BY id"
    return [
        Cell(int(row[0]), row[1], row[2], row[3], row[4]) for row in rows(connection, statement.format(identifier(api)))
    ]


def repair_cell(connection: typing.Any, api: str, cell_id: int, database_connection: str) -> None:
    """Write the properly quoted URL into one mapping: nova's own map_cell0 stores it unquoted (facts/nova.md trap 16)."""
    statement = "UPDATE {0}.cell_mappings SET database_connection = %s WHERE id = %s".format(identifier(api))
    rows(connection, statement, (database_connection, cell_id))


def _specless(main: str, api: str) -> str:
    # Nova's migration skips instances in vm_state soft-delete (deferred deletion), so they can never get a spec from it.
    return (
        " FROM {0}.instances i WHERE i.deleted = 0 AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"
        " AND NOT EXISTS (SELECT 1 FROM {1}.request_specs s WHERE s.instance_uuid = i.uuid)"
    ).format(identifier(main), identifier(api))


def unmigrated(connection: typing.Any, main: str, api: str) -> typing.Dict[str, int]:
    """Rows that online_data_migrations has still to move or make, by what they are. All zero means done.

    ``orphaned extras`` are rows of purged instances: nova cannot migrate them and moves no keypair while they exist.
    """
    left = {}  # type: typing.Dict[str, int]
    for table, word in MOVED_OUT:
        left[word] = int(
            scalar(
                connection, "SELECT COUNT(*) FROM {0}.{1} WHERE deleted = 0".format(identifier(main), identifier(table))
            )
        )
    left["instances without request spec"] = int(scalar(connection, "SELECT COUNT(*)" + _specless(main, api)))
    if "keypairs" in column_names(connection, main, "instance_extra"):
        statement = "SELECT COUNT(*) FROM {0}.instance_extra WHERE deleted = 0 AND keypairs IS NULL".format(
            identifier(main)
        )
        left["instances without keypair record"] = int(scalar(connection, statement))
    if "instance_uuid" in column_names(connection, api, "build_requests"):
        statement = "SELECT COUNT(*) FROM {0}.build_requests WHERE instance_uuid IS NULL".format(identifier(api))
        left["build requests without instance"] = int(scalar(connection, statement))
    return left


def grouped_specless(connection: typing.Any, main: str, api: str) -> int:
    """Live members of server groups that have no request spec: the ones on which nova bug 1830747 stops every run."""
    member = (
        " AND EXISTS (SELECT 1 FROM {0}.instance_group_member m JOIN {0}.instance_groups g ON g.id = m.group_id"
        " WHERE m.instance_id = i.uuid{1})"
    )
    old = member.format(identifier(main), " AND m.deleted = 0 AND g.deleted = 0")
    count = int(scalar(connection, "SELECT COUNT(*)" + _specless(main, api) + old))
    if "instance_group_member" in table_names(connection, api):
        moved = member.format(identifier(api), "").replace("m.instance_id", "m.instance_uuid")
        count += int(scalar(connection, "SELECT COUNT(*)" + _specless(main, api) + moved))
    return count


def broken_group_specs(connection: typing.Any, api: str) -> int:
    """Request specs whose server group has no uuid: nova bug 1830747 wrote them and cannot read them back."""
    statement = (
        "SELECT COUNT(*) FROM {0}.request_specs WHERE instance_uuid <> %s AND JSON_VALID(spec)"
        ' AND JSON_EXTRACT(spec, \'$."nova_object.data".instance_group."nova_object.data"\') IS NOT NULL'
        ' AND JSON_EXTRACT(spec, \'$."nova_object.data".instance_group."nova_object.data".uuid\') IS NULL'
    )
    return int(scalar(connection, statement.format(identifier(api)), (SPEC_MARKER_UUID,)))


def live_instances(connection: typing.Any, main: str) -> int:
    return int(scalar(connection, "SELECT COUNT(*) FROM {0}.instances WHERE deleted = 0".format(identifier(main))))


def all_instances(connection: typing.Any, main: str) -> int:
    """Soft-deleted ones included: map_instances walks them all."""
    return int(scalar(connection, "SELECT COUNT(*) FROM {0}.instances".format(identifier(main))))


def spec_marker(connection: typing.Any, api: str) -> str:
    """The instance at which the next request-spec batch starts ("" for the first one)."""
    statement = "SELECT spec FROM {0}.request_specs WHERE instance_uuid = %s".format(identifier(api))
    return str(scalar(connection, statement, (SPEC_MARKER_UUID,)) or "")


def forget_spec_marker(connection: typing.Any, api: str) -> None:
    """Let nova walk the instances from the first one again. The marker is nova's bookkeeping; nothing else is lost."""
    rows(
        connection,
        "DELETE FROM {0}.request_specs WHERE instance_uuid = %s".format(identifier(api)),
        (SPEC_MARKER_UUID,),
    )


def unmapped_hosts(connection: typing.Any, main: str, api: str) -> typing.List[str]:
    """Live compute hosts without a host mapping, sorted."""
    statement = (
        "SELECT DISTINCT c.host FROM {0}.compute_nodes c WHERE c.deleted = 0 AND c.host IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM {1}.host_mappings h WHERE h.host = c.host) ORDER BY c.host"
    )
    return [row[0] for row in rows(connection, statement.format(identifier(main), identifier(api)))]


def host_counts(connection: typing.Any, main: str, api: str, cell_id: int) -> typing.Dict[str, int]:
    """Distinct live compute hosts, host mappings in all, and how many of those lead to another cell."""
    hosts = "SELECT COUNT(DISTINCT host) FROM {0}.compute_nodes WHERE deleted = 0 AND host IS NOT NULL".format(
        identifier(main)
    )
    mapped = "SELECT COUNT(*), COALESCE(SUM(cell_id <> %s), 0) FROM {0}.host_mappings".format(identifier(api))
    total, elsewhere = rows(connection, mapped, (cell_id,))[0]
    return {"hosts": int(scalar(connection, hosts)), "mapped": int(total), "elsewhere": int(elsewhere)}


def mapping_counts(connection: typing.Any, main: str, api: str) -> typing.Dict[str, int]:
    """Instances in all, those without a mapping, mappings without a cell, and nova's markers of an unfinished walk."""
    unmapped = (
        "SELECT COUNT(*) FROM {0}.instances i WHERE NOT EXISTS (SELECT 1 FROM {1}.instance_mappings m WHERE m.instance_uuid = i.uuid)"
    ).format(identifier(main), identifier(api))
    sums = "SELECT COALESCE(SUM(cell_id IS NULL AND project_id <> %s), 0), COALESCE(SUM(project_id = %s), 0) FROM {0}.instance_mappings"
    homeless, markers = rows(connection, sums.format(identifier(api)), (MAP_MARKER_PROJECT, MAP_MARKER_PROJECT))[0]
    return {
        "instances": all_instances(connection, main),
        "unmapped": int(scalar(connection, unmapped)),
        "without cell": int(homeless),
        "markers": int(markers),
    }


def map_marker(connection: typing.Any, api: str) -> str:
    statement = "SELECT MAX(instance_uuid) FROM {0}.instance_mappings WHERE project_id = %s".format(identifier(api))
    return str(scalar(connection, statement, (MAP_MARKER_PROJECT,)) or "")


def services_of(connection: typing.Any, main: str, hosts: typing.Sequence[str]) -> int:
    """Rows of services that the given hosts put there: what the copy's own nova-api adds when it starts."""
    marks = ", ".join(["%s"] * len(hosts))
    statement = "SELECT COUNT(*) FROM {0}.services WHERE host IN ({1})".format(identifier(main), marks)
    return int(scalar(connection, statement, tuple(hosts)))
