"""What an upgrade may do to which table, and what is a finding."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.schema import findings

from upgrader.cloud.release import release_path


def rules_of(service: str) -> Any:
    return release_path("mitaka", "ocata").service(service).tables


def counts(**tables: int) -> dict[str, dict[str, Any]]:
    return {table: {"total": total} for table, total in tables.items()}


def subjects(service: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    copy = f"{service}_upgrade"
    return [
        item["subject"] for item in findings.compare_counts(rules_of(service), copy, {service: before}, {copy: after})
    ]


@pytest.mark.parametrize(
    ("service", "before", "after", "found"),
    [
        ("keystone", {"user": 5}, {"user": 5, "nonlocal_user": 0}, []),
        ("keystone", {"user": 5}, {"user": 4}, ["keystone_upgrade.user"]),
        ("keystone", {"user": 5}, {"user": 6}, ["keystone_upgrade.user"]),
        ("keystone", {"user": 5}, {}, ["keystone_upgrade.user"]),
        ("keystone", {"domain": 3, "token": 9}, {"token": 0}, []),
        ("keystone", {"token": 9}, {"token": 10}, ["keystone_upgrade.token"]),
        ("keystone", {"project": 4, "identity_provider": 1}, {"project": 5, "identity_provider": 1}, []),
        ("keystone", {"project": 4, "identity_provider": 0}, {"project": 5, "identity_provider": 0}, ["keystone_upgrade.project"]),
        ("neutron", {"ml2_network_segments": 2}, {"networksegments": 2}, []),
        ("neutron", {"ml2_network_segments": 2}, {"networksegments": 1}, ["neutron_upgrade.networksegments"]),
        ("neutron", {"ipallocations": 7, "ipamallocations": 0}, {"ipallocations": 7, "ipamallocations": 7}, []),
        ("neutron", {"ipallocations": 7, "ipamallocations": 0}, {"ipallocations": 7, "ipamallocations": 6}, ["neutron_upgrade.ipamallocations"]),
        ("neutron", {"standardattributes": 9, "qos_policies": 2}, {"standardattributes": 12, "qos_policies": 2},
         ["neutron_upgrade.standardattributes"]),
        ("cinder", {"services": 3, "iscsi_targets": 0}, {"services": 5}, []),
        ("cinder", {"services": 3}, {"services": 2}, ["cinder_upgrade.services"]),
        ("glance", {"artifacts": 0, "metadef_tags": 1}, {"metadef_tags": 40}, []),
        ("heat", {"watch_rule": 2, "stack": 1}, {"stack": 1}, []),
    ],
)  # fmt: skip
def test_tables_against_the_snapshot(service: str, before: Any, after: Any, found: list[str]) -> None:
    assert subjects(service, counts(**before), counts(**after)) == found


def test_a_snapshot_without_the_source_is_a_finding_of_its_own() -> None:
    (only,) = findings.compare_counts(rules_of("heat"), "heat_upgrade", {"nova": {}}, {})
    assert only["subject"] == "heat" and "nova" in only["what"]


def test_a_range_is_said_as_one() -> None:
    (only,) = findings.compare_counts(
        rules_of("keystone"), "keystone_upgrade", {"keystone": counts(token=3)}, {"keystone_upgrade": counts(token=4)}
    )
    assert "has 4 rows, the snapshot says 0 to 3" in only["what"]
