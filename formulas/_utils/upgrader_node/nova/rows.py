"""What nova's databases say about the progress of an upgrade: the truth that exit codes do not tell. Read only, but for
``repair_cell`` and ``forget_spec_marker``, which change single rows of the copy's own bookkeeping."""

import json
import typing

from upgrader_node.database.sql import column_names, identifier, rows, scalar, schema_version, table_names

SPECS_AT_ONCE = 500  # of some 3 KB each
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

# Live rows of parents that are deleted: older deletions left them (nova 481d4a767e, Launchpad 1172153), no migration moves them.
# Table: (its column, the parent's table in the main database, in the API's, and what both have of one parent): nova 15 keeps
# the id of a flavor (objects/flavor.py ``migrate_flavors``) and the uuid of an aggregate and of a server group.
PARENTS = {
    "instance_type_extra_specs": ("instance_type_id", "instance_types", "flavors", "id"),
    "instance_type_projects": ("instance_type_id", "instance_types", "flavors", "id"),
    "aggregate_metadata": ("aggregate_id", "aggregates", "aggregates", "uuid"),
    "aggregate_hosts": ("aggregate_id", "aggregates", "aggregates", "uuid"),
    "instance_group_policy": ("group_id", "instance_groups", "instance_groups", "uuid"),
    "instance_group_member": ("group_id", "instance_groups", "instance_groups", "uuid"),
}


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
    """Write the properly quoted URL into one mapping: nova's own map_cell0 stores it unquoted (seen with 15.1.5)."""
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
        "SELECT id, spec FROM {0}.request_specs WHERE id > %s AND instance_uuid <> %s AND spec LIKE %s"
        " ORDER BY id LIMIT {1}"
    ).format(identifier(api), SPECS_AT_ONCE)
    count, last = 0, 0
    while True:
        specs = rows(connection, statement, (last, SPEC_MARKER_UUID, '%"instance_group": {%'))
        count += sum(_lacks_group_uuid(spec) for _, spec in specs)
        if len(specs) < SPECS_AT_ONCE:
            return count
        last = int(specs[-1][0])


def _lacks_group_uuid(spec: str) -> bool:
    """Read here and not by the server: MySQL has had JSON functions since 5.7, MariaDB since 10.2."""
    try:
        group = json.loads(spec)["nova_object.data"]["instance_group"]["nova_object.data"]
        return "uuid" not in group
    except (ValueError, KeyError, TypeError):
        return False


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


def strays(connection: typing.Any, main: str, api: str) -> typing.Dict[str, int]:
    """How many live rows of a table belong to no parent that has moved to the API database; only tables that have any.

    A row whose parent has moved is no stray: it had to move with it.
    """
    statement = (
        "SELECT COUNT(*) FROM {main}.{child} c WHERE c.deleted = 0 AND NOT EXISTS (SELECT 1 FROM {main}.{parent} p"
        " JOIN {api}.{moved} a ON a.{key} = p.{key} WHERE p.id = c.{column})"
    )
    found = {}
    for child, (column, parent, moved, key) in PARENTS.items():
        words = {"child": child, "parent": parent, "moved": moved, "key": key, "column": column}
        found[child] = int(scalar(connection, statement.format(main=identifier(main), api=identifier(api), **words)))
    return {child: number for child, number in found.items() if number}
