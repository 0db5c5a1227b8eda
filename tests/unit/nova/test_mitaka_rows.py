"""The generated cloud is the same every time, and its JSON has the form that Mitaka wrote."""

from __future__ import annotations

import json
from functools import cache, partial

from tests.support import recorder
from tests.support.recorder import Recorder
from upgrader.lab.mitaka import populate
from upgrader.lab.mitaka.shape import DELETED, ERROR, LIVE, Shape

generated = partial(recorder.generated, services=("nova",))
cloud = cache(generated)
"""The usual rows, generated once: nobody changes them."""


def test_the_same_arguments_give_the_same_rows() -> None:
    assert generated() == cloud()
    assert generated(seed=2)["nova.instances"] != cloud()["nova.instances"]


def test_instances_are_live_deleted_and_in_error_in_proportion() -> None:
    shape = Shape(20000, 1)
    states = [shape.identity(number)[1] for number in range(20000)]
    share = {state: states.count(state) / 20000 for state in (LIVE, DELETED, ERROR)}
    assert abs(share[LIVE] - 0.87) < 0.01 and abs(share[DELETED] - 0.10) < 0.01 and abs(share[ERROR] - 0.03) < 0.01


def test_soft_deleted_rows_name_their_own_key_and_those_in_error_have_no_host() -> None:
    for row in cloud()["nova.instances"]:
        assert row["deleted"] == (row["id"] if row["vm_state"] == "deleted" else 0)
        assert (row["deleted_at"] is None) == (row["deleted"] == 0)
        assert (row["host"] is None) == (row["vm_state"] == "error")
        assert row["task_state"] is None


def test_extras_hold_flavors_as_mitaka_wrote_them() -> None:
    flavor = json.loads(cloud()["nova.instance_extra"][0]["flavor"])
    assert set(flavor) == {"cur", "old", "new"}
    assert flavor["cur"]["nova_object.name"] == "Flavor" and flavor["cur"]["nova_object.version"] == "1.1"


def test_every_group_member_has_a_request_spec_that_names_its_group() -> None:
    rows = generated(1000)
    specs = {row["instance_uuid"]: json.loads(row["spec"]) for row in rows["nova_api.request_specs"]}
    groups = {row["id"]: row["uuid"] for row in rows["nova.instance_groups"]}
    assert rows["nova.instance_group_member"]
    for member in rows["nova.instance_group_member"]:
        spec = specs[member["instance_id"]]
        assert spec["nova_object.data"]["instance_group"]["nova_object.data"]["uuid"] == groups[member["group_id"]]
        assert spec["nova_object.version"] == "1.5" and "id" not in spec["nova_object.data"]
    assert 0.2 < len(specs) / 1000 < 0.35


def test_what_ocatas_migration_330_demands_is_there() -> None:
    rows = cloud()
    assert all(row["uuid"] for row in rows["nova.compute_nodes"] + rows["nova.aggregates"])
    assert all(row["parent_addr"] for row in rows["nova.pci_devices"] if row["dev_type"] == "type-VF")
    assert {row["version"] for row in rows["nova.services"]} == {9}


def test_no_cell_or_mapping_is_made() -> None:
    assert {table for table in cloud() if table.startswith("nova_api.")} == {"nova_api.request_specs"}


def test_hosts_scale_with_instances_within_bounds() -> None:
    assert [Shape(instances, 1).hosts for instances in (10, 1000, 200000)] == [4, 20, 400]


def test_progress_is_told_from_start_to_end() -> None:
    heard: list[tuple[str, int, int]] = []
    written = populate(Recorder(), instances=1200, services=("nova",), progress=lambda *said: heard.append(said))
    assert heard[0][1] == 0 and ("instances", 1200, 1200) in heard
    assert written["nova.instances"] == 1200
