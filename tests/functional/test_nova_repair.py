"""The server-group repair and nova-status, against the real nova-manage, nova-status and nova's own objects."""

from __future__ import annotations

import json
import subprocess

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import API, MAIN, VENV, Bench

pytestmark = pytest.mark.heavy
MEMBERS = (
    f"SELECT m.instance_id, g.uuid FROM {MAIN}.instance_group_member m JOIN {MAIN}.instance_groups g ON g.id = m.group_id"
    f" JOIN {MAIN}.instances i ON i.uuid = m.instance_id"
    " WHERE m.deleted = 0 AND g.deleted = 0 AND i.deleted = 0 AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"
)
READ_BACK = """
import json, sys
from nova import config, context, objects
config.parse_args(["nova", "--config-file", sys.argv[1]])
objects.register_all()
read = objects.RequestSpec.get_by_instance_uuid
admin = context.get_admin_context()
groups = {uuid: read(admin, uuid).instance_group for uuid in json.load(sys.stdin)}
print(json.dumps({uuid: group and [group.uuid, sorted(group.policies)] for uuid, group in groups.items()}))
"""


def read_back(bench: Bench, instances: list[str]) -> dict[str, list[object] | None]:
    """What nova's own RequestSpec says of each instance's group; it raises on a spec that nova cannot read."""
    argv = [str(VENV / "bin" / "python"), "-W", "ignore", "-c", READ_BACK, str(bench.conf)]
    ran = subprocess.run(argv, input=json.dumps(instances), capture_output=True, text=True, check=True, timeout=60)
    return dict(json.loads(ran.stdout.splitlines()[-1]))


@pytest.fixture
def grouped(newton: Bench) -> Bench:
    """Every live server-group member is as one booted before Mitaka: without request spec."""
    newton.query(
        f"DELETE FROM {API}.request_specs WHERE instance_uuid IN (SELECT instance_id FROM {MAIN}.instance_group_member)"
    )
    return newton


def test_repair_names_the_group_of_every_member_and_keeps_them_all(grouped: Bench) -> None:
    members = dict(grouped.query(MEMBERS))
    memberships = grouped.number(f"SELECT COUNT(*) FROM {MAIN}.instance_group_member WHERE deleted = 0")
    assert len(members) > 1
    answer = grouped.nova("repair_server_groups")
    assert answer["changed"] and answer["repaired"] == len(members)
    assert answer["before"]["members without request spec"] == len(members) and not any(answer["after"].values())
    assert {(item["instance"], item["group"]) for item in answer["first"]} <= set(members.items())
    grouped.nova("online_data_migrations")
    assert not any(grouped.nova("remaining").values())
    seen = read_back(grouped, sorted(members))
    assert {uuid: group and group[0] for uuid, group in seen.items()} == members
    assert all(group and group[1] in (["affinity"], ["anti-affinity"]) for group in seen.values())
    assert grouped.number(f"SELECT COUNT(*) FROM {API}.instance_group_member") == memberships
    assert grouped.nova("repair_server_groups")["changed"] is False


def test_repair_takes_up_what_a_plain_run_broke(grouped: Bench) -> None:
    plain = grouped.manage("db", "online_data_migrations", "--max-count", "2000")
    assert "Error attempting to run <function migrate_instances_add_request_spec" in plain.stdout
    answer = grouped.nova("repair_server_groups")
    assert answer["before"]["specs without group uuid"] == 1 and not any(answer["after"].values())


def test_a_member_whose_group_is_gone_loses_it_as_nova_itself_decides(grouped: Bench) -> None:
    grouped.manage("db", "online_data_migrations", "--max-count", "2000")
    broken = grouped.query(f"SELECT instance_uuid FROM {API}.request_specs ORDER BY id DESC LIMIT 1")[0][0]
    grouped.query(
        f"DELETE FROM {API}.instance_group_member WHERE instance_uuid = %s", (broken,)
    )  # the plain run has moved it there
    grouped.nova("repair_server_groups")
    assert read_back(grouped, [broken]) == {broken: None}


def test_repair_with_nothing_to_do_runs_nothing(newton: Bench) -> None:
    answer = newton.nova("repair_server_groups")
    assert answer["changed"] is False and answer["runs"] == 0


def test_repair_before_newton_is_refused(mitaka: Bench) -> None:
    with pytest.raises(
        CommandExecutionError, match=r"comes after db-newton, which is not done .*is at 319 instead of 334"
    ):
        mitaka.nova("repair_server_groups")


@pytest.mark.soak
def test_repair_does_not_hide_another_failure(grouped: Bench) -> None:
    grouped.query(
        f"UPDATE {MAIN}.instance_extra SET flavor = '{{\"cur\": 1}}' WHERE instance_uuid IN (SELECT uuid FROM {MAIN}.instances WHERE deleted = 0)"
    )
    with pytest.raises(CommandExecutionError, match="migrate_instances_add_request_spec raised an exception"):
        grouped.nova("repair_server_groups")


def test_status_after_the_ten_steps_warns_of_placement_and_computes_only(ocata: Bench) -> None:
    ocata.configure(placement={})
    answer = ocata.nova("status")
    found = {item["subject"]: item for item in answer["findings"]}
    assert {name: item["severity"] for name, item in found.items()} == {
        "nova-status: Placement API": "warning", "nova-status: Resource Providers": "warning",
    }  # fmt: skip
    assert "has nova only" in found["nova-status: Placement API"]["what"]
    assert "there are 4 compute nodes" in found["nova-status: Resource Providers"]["what"]
    assert answer["comment"] == "Cells v2 success, Placement API failure, Resource Providers warning"


def test_status_without_placement_that_the_model_has_is_a_failure(ocata: Bench) -> None:
    ocata.configure(placement={"host": "127.0.0.1"})
    with pytest.raises(CommandExecutionError, match="No credentials specified for placement API"):
        ocata.nova("status")


def test_status_without_cells_is_a_failure(ocata: Bench) -> None:
    for table in ("host_mappings", "instance_mappings", "cell_mappings"):
        ocata.query(f"DELETE FROM {API}.{table}")
    with pytest.raises(
        CommandExecutionError,
        match=r"nova-status: Cells v2 There needs to be at least two cell mappings.*run map_cell0",
    ):
        ocata.nova("status")


def test_status_that_crashes_is_a_failure_and_no_verdict(mitaka: Bench) -> None:
    with pytest.raises(CommandExecutionError, match=r"ended with exit code 255 and judged nothing: .*NoSuchTableError"):
        mitaka.nova("status")
