"""Counts of the snapshot against counts of the copy: what must be equal, and which tables the upgrade moves."""

from __future__ import annotations

import copy
from typing import Any

from upgrader_node.nova import findings
from upgrader_node.schema import findings as schema_findings

CELLS = ["cell0", "cell1"]
Counts = dict[str, dict[str, dict[str, Any]]]
EXPECTED: Counts = {
    "nova": {
        "instances": {"total": 100, "live": 90},
        "instance_types": {"total": 9, "live": 8},
        "aggregate_hosts": {"total": 5, "live": 5},
        "services": {"total": 7, "live": 7},
        "migrate_version": {"total": 1, "live": None},
    },
    "nova_api": {
        "flavors": {"total": 0, "live": None},
        "request_specs": {"total": 25, "live": None},
        "build_requests": {"total": 2, "live": None},
    },
}
AFTER: Counts = {
    "nova_upgrade": {
        "instances": {"total": 100, "live": 90},
        "instance_types": {"total": 9, "live": 0},
        "aggregate_hosts": {"total": 5, "live": 5},
        "services": {"total": 8, "live": 8},
        "migrate_version": {"total": 1, "live": None},
        "console_auth_tokens": {"total": 0, "live": None},
    },
    "nova_upgrade_api": {
        "flavors": {"total": 8, "live": None},
        "aggregate_hosts": {"total": 5, "live": None},
        "request_specs": {"total": 91, "live": None},
        "build_requests": {"total": 0, "live": None},
    },
}


def subjects(after: Counts, own: int = 1) -> list[str]:
    return [item["subject"] for item in findings.compare_counts("nova_upgrade", EXPECTED, after, own)]


def changed(schema: str, table: str, **values: Any) -> Counts:
    after = copy.deepcopy(AFTER)
    after[schema][table].update(values)
    return after


def test_a_proper_upgrade_has_no_finding() -> None:
    assert subjects(AFTER) == []


def test_a_lost_row_a_lost_table_and_a_revived_row_are_findings() -> None:
    assert subjects(changed("nova_upgrade", "instances", total=99)) == ["nova_upgrade.instances"]
    assert subjects(changed("nova_upgrade", "instances", live=91)) == ["nova_upgrade.instances"]
    after = copy.deepcopy(AFTER)
    del after["nova_upgrade"]["migrate_version"]
    assert subjects(after) == ["nova_upgrade.migrate_version"]


def test_moved_rows_must_have_left_and_arrived() -> None:
    assert subjects(changed("nova_upgrade", "instance_types", live=1)) == ["nova_upgrade.instance_types"]
    assert subjects(changed("nova_upgrade_api", "flavors", total=7)) == ["nova_upgrade_api.flavors"]
    assert subjects(changed("nova_upgrade_api", "aggregate_hosts", total=4)) == ["nova_upgrade_api.aggregate_hosts"]


def with_strays(left: int, moved: int) -> list[tuple[str, str]]:
    """Three access rows were live, one of them of a deleted flavor."""
    expected, after = copy.deepcopy(EXPECTED), copy.deepcopy(AFTER)
    expected["nova"]["instance_type_projects"] = {"total": 4, "live": 3}
    after["nova_upgrade"]["instance_type_projects"] = {"total": 4, "live": left}
    after["nova_upgrade_api"]["flavor_projects"] = {"total": moved, "live": None}
    found = findings.compare_counts("nova_upgrade", expected, after, 1, {"instance_type_projects": 1})
    return [(item["severity"], item["subject"]) for item in found]


def test_live_rows_of_deleted_parents_stay_and_are_a_note() -> None:
    note = ("info", "nova_upgrade.instance_type_projects")
    assert with_strays(left=1, moved=2) == [note]
    assert with_strays(left=2, moved=1) == [
        ("blocker", "nova_upgrade.instance_type_projects"),
        ("blocker", "nova_upgrade_api.flavor_projects"),
        note,
    ]
    assert with_strays(left=0, moved=2) == [("blocker", "nova_upgrade.instance_type_projects"), note]


def test_hosts_of_deleted_aggregates_do_not_move() -> None:
    found = findings.compare_counts(
        "nova_upgrade", EXPECTED, changed("nova_upgrade_api", "aggregate_hosts", total=4), 1, {"aggregate_hosts": 1}
    )
    assert [item["severity"] for item in found] == ["info"]


def test_only_our_own_services_may_be_new() -> None:
    assert subjects(AFTER, own=0) == ["nova_upgrade.services"]
    assert subjects(changed("nova_upgrade", "services", total=6)) == ["nova_upgrade.services"]


def test_request_specs_may_only_grow_and_build_requests_only_shrink() -> None:
    assert subjects(changed("nova_upgrade_api", "request_specs", total=24)) == ["nova_upgrade_api.request_specs"]
    assert subjects(changed("nova_upgrade_api", "build_requests", total=3)) == ["nova_upgrade_api.build_requests"]


def test_counts_of_another_source_are_a_finding_not_a_pass() -> None:
    found = findings.compare_counts("nova_upgrade", {"glance": {}}, AFTER)
    assert [item["subject"] for item in found] == ["nova", "nova_api"]


def test_cells_hosts_instances_and_rows_are_all_named_at_once() -> None:
    found = findings.check_cells(
        ["cell1", "cell1"], {"unmapped": 3, "without cell": 1, "markers": 1}, ["cmp001"], CELLS
    )
    assert [item["subject"] for item in found] == ["cells", "compute hosts", "instances", "instances", "instances"]
    assert findings.check_cells(["cell0", "cell1"], {"unmapped": 0, "without cell": 0, "markers": 0}, [], CELLS) == []
    assert [item["subject"] for item in findings.check_rows({"flavors": 2, "keypairs": 0}, 1)] == [
        "flavors",
        "request specs",
    ]
    assert all(item["remedy"] for item in found)


def test_the_summary_shows_the_first_few_and_the_number() -> None:
    many = [schema_findings.finding(f"table{number}", "differs", "look") for number in range(8)]
    text = schema_findings.summary(many)
    assert text.startswith("8 finding(s): table0 differs (look)") and text.endswith("and 3 more")
