"""Live rows of deleted flavors, aggregates and server groups (Launchpad 1172153): nova leaves them, and a good copy stays good."""

from __future__ import annotations

from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.database import sql
from upgrader_node.nova import rows

from tests.functional.bench import API, MAIN, Bench

pytestmark = pytest.mark.heavy
# Parents that are deleted; the flavor was made anew under the same public id, as operators do.
PARENTS = (
    "INSERT INTO {db}.instance_types (id, name, memory_mb, vcpus, root_gb, ephemeral_gb, swap, flavorid, rxtx_factor, disabled,"
    " is_public, deleted) SELECT 9001, name, memory_mb, vcpus, root_gb, ephemeral_gb, swap, flavorid, rxtx_factor, disabled,"
    " is_public, 9001 FROM {db}.instance_types WHERE name = 'm1.tiny' ORDER BY id LIMIT 1",
    "INSERT INTO {db}.aggregates (id, name, uuid, deleted) VALUES (9001, 'gone', 'aggregate-9001', 9001)",
    "INSERT INTO {db}.instance_groups (id, user_id, project_id, uuid, name, deleted) VALUES (9001, 'u', 'p', 'group-9001', 'gone', 9001)",
)  # fmt: skip
CHILDREN = {
    "instance_type_extra_specs": "(instance_type_id, `key`, value, deleted) VALUES (9001, 'k', 'v', 0)",
    "instance_type_projects": "(instance_type_id, project_id, deleted) VALUES (9001, 'p', 0)",
    "aggregate_metadata": "(aggregate_id, `key`, value, deleted) VALUES (9001, 'k', 'v', 0)",
    "aggregate_hosts": "(aggregate_id, host, deleted) VALUES (9001, 'cmp001', 0)",
    "instance_group_policy": "(group_id, policy, deleted) VALUES (9001, 'affinity', 0)",
    "instance_group_member": "(group_id, instance_id, deleted) VALUES (9001, 'a-server', 0)",
}
LEFT = dict.fromkeys(CHILDREN, 1)


def leave(bench: Bench, database: str) -> None:
    for statement in (*PARENTS, *(f"INSERT INTO {{db}}.{table} {row}" for table, row in CHILDREN.items())):
        bench.query(statement.format(db=database))


def expected(bench: Bench) -> dict[str, Any]:
    """The source's counts, had it held those rows as well."""
    counts: dict[str, Any] = {
        one: dict(tables) for one, tables in sql.table_counts(bench.connection, ("nova", "nova_api")).items()
    }
    for table in CHILDREN:
        held = counts["nova"][table]
        counts["nova"][table] = {"total": held["total"] + 1, "live": held["live"] + 1}
    for table in ("instance_types", "aggregates", "instance_groups"):
        counts["nova"][table] = dict(counts["nova"][table], total=counts["nova"][table]["total"] + 1)
    return counts


def test_novas_own_migration_leaves_rows_of_deleted_parents_where_they_are(newton: Bench) -> None:
    leave(newton, MAIN)
    newton.phase("online-newton")
    assert rows.strays(newton.connection, MAIN, API) == LEFT
    live = {table: newton.number(f"SELECT COUNT(*) FROM {MAIN}.{table} WHERE deleted = 0") for table in CHILDREN}
    assert {table: count for table, count in live.items() if table != "aggregate_hosts"} == {
        table: 1 for table in CHILDREN if table != "aggregate_hosts"
    }


def test_a_copy_with_such_rows_is_good_and_a_lost_row_among_them_is_found(ocata: Bench) -> None:
    counts = expected(ocata)
    leave(ocata, MAIN)
    found = ocata.nova("verify", expected=counts)["findings"]
    assert {(one["severity"], one["subject"]) for one in found} == {("info", f"{MAIN}.{table}") for table in CHILDREN}
    ocata.query(f"DELETE FROM {API}.flavor_projects LIMIT 1")
    with pytest.raises(
        CommandExecutionError, match=f"{API}.flavor_projects has 1 rows moved from instance_type_projects"
    ):
        ocata.nova("verify", expected=counts)
