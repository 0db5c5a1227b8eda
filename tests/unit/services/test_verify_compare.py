"""What an API lists against the baseline: each kind of difference, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.verify import compare, resources
from upgrader_node.verify.resources import PREFIX, RESOURCES, Resource

BY_NAME = {resource.name: resource for resource in RESOURCES}
OWN = ("upg01", "10.0.0.90")
BEFORE = {"v1": {"name": "a", "size": 1}, "v2": {"name": "b", "size": 2}}


def told(name: str, before: Any, listed: list[tuple[str, dict[str, Any]]], severity: str) -> list[str]:
    found = compare.findings(BY_NAME[name], before, listed, OWN)
    assert all(one["remedy"] for one in found)
    return [one["what"] for one in found if one["severity"] == severity]


def words(name: str, before: Any, listed: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """What stops the stage."""
    return told(name, before, listed, "blocker")


def test_the_same_list_in_another_order_is_no_difference() -> None:
    assert words("volumes", BEFORE, [("v2", dict(BEFORE["v2"])), ("v1", dict(BEFORE["v1"]))]) == []


def test_missing_and_changed_are_each_named() -> None:
    found = words("volumes", BEFORE, [("v2", {"name": "b", "size": 3})])
    assert found == ["volumes: 1 of 2 missing: v1", "volumes: 1 changed: v2 size is 3, was 2"]


def test_what_nobody_loses_is_a_note() -> None:
    """An object more, and nothing spelled as an empty text: said, and no word of a copy that is not fit."""
    listed = [("v1", {"name": "a", "size": 1}), ("v2", {"name": None, "size": 2}), ("v3", {"name": "c", "size": 1})]
    before = {**BEFORE, "v2": {"name": "", "size": 2}}
    assert words("volumes", before, listed) == []
    assert told("volumes", before, listed, "warning") == ["volumes: 1 that the source does not have: v3"]
    assert told("volumes", before, listed, "info") == ["volumes: 1 spelled otherwise: v2 name is None, was ''"]
    assert not [one for one in compare.findings(BY_NAME["volumes"], before, listed, OWN) if "not fit" in one["remedy"]]
    assert words("volumes", before, [("v1", {"name": "", "size": 1}), listed[1]]), "a name that is gone is no spelling"


def test_a_lost_field_is_a_change() -> None:
    assert words("volumes", {"v1": {"size": 1}}, [("v1", {})]) == ["volumes: 1 changed: v1 size is None, was 1"]


def test_doubled_ids_are_found_even_without_a_baseline() -> None:
    twice = [("f1", {}), ("f1", {}), ("f2", {})]
    assert words("flavors", None, twice) == ["flavors: 1 twice or more: f1"]
    assert words("flavors", None, twice[1:]) == []


def test_a_long_list_is_cut_with_its_number() -> None:
    before = {f"v{number}": {} for number in range(9)}
    assert words("volumes", before, []) == ["volumes: 9 of 9 missing: v0, v1, v2, v3, v4 and 4 more"]


def test_an_empty_baseline_is_one() -> None:
    found = told("volumes", {}, [("v1", {"name": ""})], "warning")
    assert found == ["volumes: 1 that the source does not have: v1"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("catalogue services", {"type": "placement", "enabled": True}),
        ("catalogue services", {"type": "volumev3", "enabled": True}),
        ("compute services", {"binary": "nova-conductor", "host": "upg01"}),
        ("flavors", {"name": PREFIX + "1234"}),
    ],
)
def test_what_an_upgraded_cloud_rightly_has_more_is_expected(name: str, fields: dict[str, Any]) -> None:
    assert compare.findings(BY_NAME[name], {}, [("x", fields)], OWN) == []


@pytest.mark.parametrize(
    ("name", "fields", "severity"),
    [
        ("catalogue services", {"type": "metering", "enabled": True}, "blocker"),
        ("compute services", {"binary": "nova-conductor", "host": "ctl01"}, "blocker"),
        ("flavors", {"name": "upgrader"}, "warning"),
        ("volumes", {"name": None}, "warning"),
    ],
)
def test_anything_else_that_is_new_is_told_and_a_strangers_service_stops(
    name: str, fields: dict[str, Any], severity: str
) -> None:
    """Of all that may be new, only a service that registered from elsewhere says that somebody works on the copy."""
    assert [one["severity"] for one in compare.findings(BY_NAME[name], {}, [("x", fields)], OWN)] == [severity]


def test_one_engine_of_this_node_must_be_up_whatever_the_baseline() -> None:
    name = "orchestration services"
    up, down = {"status": "up", "hostname": "upg01"}, {"status": "down", "hostname": "upg01"}
    assert words(name, None, [("a", down), ("b", up)]) == []
    elsewhere = {"status": "up", "hostname": "ctl01"}
    assert words(name, None, [("a", down), ("b", elsewhere)]) == [
        "orchestration services: no heat engine of this node is up (2 listed)"
    ] or words(name, None, [("a", down), ("b", elsewhere)]) == ["no heat engine of this node is up (2 listed)"]


def entry(kind: str, url: str, interfaces: tuple[str, ...] = ("public", "internal", "admin")) -> dict[str, Any]:
    return {"type": kind, "endpoints": [{"interface": one, "url": url} for one in interfaces]}


def catalogue(entries: list[dict[str, Any]], kinds: list[str], own: tuple[str, ...] = OWN) -> list[str]:
    return [one["what"] for one in compare.catalogue(entries, kinds, own)]


def test_a_catalogue_that_leads_here_with_all_interfaces_is_right() -> None:
    assert (
        catalogue(
            [entry("identity", "http://upg01:5000/v3/"), entry("image", "http://10.0.0.90:9292")], ["identity", "image"]
        )
        == []
    )


def test_a_missing_type_an_old_identity_and_a_stranger_are_named() -> None:
    found = catalogue(
        [entry("identity", "http://upg01:5000/v2.0"), entry("image", "http://10.0.0.9:9292", ("public",))],
        ["image", "network"],
    )
    assert found == [
        "catalogue: image has no admin, internal endpoint",
        "catalogue: network has no admin, internal, public endpoint",
        "catalogue: identity is offered at http://upg01:5000/v2.0",
        "catalogue: it leads to http://10.0.0.9:9292",
    ]


def test_two_services_of_one_type_are_both_looked_at() -> None:
    assert catalogue([entry("image", "http://10.0.0.9:9292"), entry("image", "http://upg01:9292")], ["image"]) == [
        "catalogue: it leads to http://10.0.0.9:9292"
    ]


def test_a_cloud_behind_its_own_addresses_may_lead_anywhere() -> None:
    assert catalogue([entry("image", "https://cloud.example:9292")], ["image"], ()) == []


def test_of_production_a_service_that_registered_from_anywhere_is_told_and_an_interface_it_never_had_is_not_demanded() -> (
    None
):
    new = [("x", {"binary": "nova-conductor", "host": "ctl09"})]
    assert [one["severity"] for one in compare.findings(BY_NAME["compute services"], {}, new, ())] == ["warning"]
    entries = [entry("image", "http://vip01:9292", ("public", "internal"))]
    assert compare.catalogue(entries, ["image"], (), ("public", "internal")) == []
    assert len(compare.catalogue(entries, ["image"], ())) == 1


FLAVOR = '{"old": null, "cur": {"nova_object.data": {"id": 3, "flavorid": "1"}}, "new": null}'
SAMPLES: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "catalogue services": ({"id": "s", "type": "image"}, ("s", "image", 1)),
    "images": (
        {"id": "i", "name": "n", "status": "active", "size": None, "min_disk": 0, "min_ram": 0, "owner": "o", "checksum": None,
         "disk_format": "raw", "container_format": "bare", "protected": False, "visibility": "shared", "tags": []},
        ("i", "n", "active", None, 0, 0, "o", None, "raw", "bare", 0, "shared"),
    ),
    "flavors": (
        {"id": "1", "name": "m1", "ram": 512, "vcpus": 1, "disk": 1, "OS-FLV-EXT-DATA:ephemeral": 0, "swap": "",
         "os-flavor-access:is_public": True, "OS-FLV-DISABLED:disabled": False},
        ("1", "m1", 512, 1, 1, 0, 0, 1, 0),
    ),
    "compute services": (
        {"id": 7, "binary": "nova-compute", "host": "cmp01", "disabled_reason": None, "status": "disabled", "state": "down"},
        (7, "nova-compute", "cmp01", None, 0),
    ),
    "servers": (
        {"id": "u", "name": "n", "tenant_id": "p", "user_id": "x", "OS-EXT-STS:vm_state": "active", "OS-EXT-SRV-ATTR:host": "cmp01",
         "key_name": None, "image": "", "flavor": {"id": "1"}},
        ("u", "n", "p", "x", "active", "cmp01", None, None, FLAVOR),
    ),
    "networks": (
        {"id": "n", "name": "net", "status": "ACTIVE", "tenant_id": "p", "admin_state_up": True, "subnets": ["a", "b"]},
        ("n", "net", "ACTIVE", "p", 1, 2),
    ),
    "volumes": (
        {"id": "v", "name": None, "size": 3, "status": "in-use", "os-vol-tenant-attr:tenant_id": "p", "user_id": "x", "bootable": "true",
         "volume_type": None, "attachments": [{}]},
        ("v", None, 3, "in-use", "p", "x", 1, None, 1, None, None, "attached"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("resource", [one for one in RESOURCES if one.statement], ids=lambda one: one.name)
def test_rows_of_the_source_and_items_of_the_api_give_the_same_record(resource: Resource) -> None:
    item, row = SAMPLES[resource.name]
    assert len(row) == 1 + len(resource.fields) + len(resource.more)
    assert resources.taken(resource, [row]) == resources.Taken(dict([resource.record(item)]), {})


def test_a_server_of_an_image_names_it() -> None:
    item = {**SAMPLES["servers"][0], "image": {"id": "i"}}
    assert BY_NAME["servers"].record(item)[1]["image"] == "i"
