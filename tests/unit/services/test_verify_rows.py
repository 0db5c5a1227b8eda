"""Odd rows that the APIs tolerate end no good rehearsal: every row counts as the API counts it, and a loss is still found.

The fake API below is a second, independent reading of the listing code, in the services' own order of things: query, object,
view. Where it and ``verify.rows`` disagree, one of them has misread.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from upgrader_node.host.findings import BLOCKER
from upgrader_node.verify import compare, resources, rows
from upgrader_node.verify.resources import RESOURCES, Resource

BY_NAME = {resource.name: resource for resource in RESOURCES}
NULL = st.none()
SIZE = st.one_of(NULL, st.integers(0, 9))
TEXT = st.one_of(NULL, st.just(""), st.text(max_size=6))
FLAG = st.sampled_from((None, 0, 1))
WHOLE = st.one_of(NULL, st.integers(0, 9))
UUID = st.uuids().map(str)


def embedded(public: str, old: str | None) -> str:
    """instance_extra.flavor, in whatever order the keys come."""
    flavor = {"nova_object.name": "Flavor", "nova_object.data": {"id": 1, "flavorid": public, "name": "f"}}
    return json.dumps(
        {"old": {**flavor, "nova_object.data": {"flavorid": old}} if old else None, "cur": flavor, "new": None}
    )


# What the columns may hold, most of it things that a healthy cloud does not have. Columns that cannot be NULL never are.
COLUMNS: dict[str, dict[str, Any]] = {
    "catalogue services": {"type": TEXT, "enabled": st.sampled_from((0, 1))},
    "images": {
        "name": TEXT, "size": WHOLE, "owner": TEXT, "checksum": TEXT, "disk_format": TEXT, "container_format": TEXT,
        "min_disk": st.integers(0, 9), "min_ram": st.integers(0, 9), "protected": st.sampled_from((0, 1)),
        "status": st.sampled_from(("active", "queued", "saving", "killed", "pending_delete", "deleted", "deactivated", "odd")),
        "visibility": st.sampled_from(("public", "private", "shared")),
    },
    "flavors": {
        "name": TEXT, "ram": st.integers(0, 9), "vcpus": st.integers(0, 9), "disk": SIZE, "ephemeral": SIZE,
        "swap": st.integers(0, 9), "public": st.sampled_from((0, 1)), "disabled": st.sampled_from((0, 1)),
    },
    "compute services": {
        "binary": st.one_of(NULL, st.sampled_from(("nova-compute", "nova-ec2", "nova-osapi_compute", "nova-metadata", "nova-cert", ""))),
        "host": TEXT, "disabled_reason": TEXT, "enabled": st.sampled_from((0, 1)),
    },
    "servers": {
        "name": TEXT, "project": TEXT, "user": TEXT, "host": TEXT, "key_name": TEXT,
        "vm_state": st.one_of(NULL, st.sampled_from(("active", "error", "soft-delete", "soft_delete", "deleted", "building", "odd"))),
        "image": st.one_of(NULL, st.just(""), UUID, UUID.map("http://glance:9292/images/{}?x=1".format)),
        "flavor": st.builds(embedded, st.sampled_from(("1", "m1.tiny", "é")), st.sampled_from((None, "9"))),
    },
    "networks": {"name": TEXT, "status": TEXT, "project": TEXT, "admin_state_up": FLAG, "subnets": st.integers(0, 3)},
    "volumes": {
        "name": TEXT, "size": WHOLE, "project": TEXT, "user": TEXT, "bootable": FLAG, "attachments": st.integers(0, 2),
        "status": st.one_of(NULL, st.sampled_from(("available", "in-use", "managing", "error_managing", "error_managing_deleting", "odd"))),
        "type": st.sampled_from((None, "", "fast")), "type_id": st.sampled_from((None, "", "t1")), "type_there": st.sampled_from((None, "t1")),
        "attach_status": st.one_of(NULL, st.sampled_from(("attached", "detached", "attaching", "error_detaching", "reserved"))),
    },
}  # fmt: skip


def cloud(name: str) -> Any:
    """Rows by id."""
    return st.dictionaries(UUID, st.fixed_dictionaries(COLUMNS[name]), max_size=5)


def _images(row: dict[str, Any]) -> dict[str, Any] | None:
    listed = {"active", "saving", "queued", "pending_delete", "deleted", "deactivated", "importing", "uploading"}
    return {**row, "protected": bool(row["protected"])} if row["status"] in listed else None


def _flavors(row: dict[str, Any]) -> dict[str, Any] | None:
    return {
        "name": row["name"], "ram": row["ram"], "disk": row["disk"] or 0, "swap": row["swap"] or "", "vcpus": row["vcpus"],
        "OS-FLV-EXT-DATA:ephemeral": row["ephemeral"] or 0, "OS-FLV-DISABLED:disabled": bool(row["disabled"]),
        "os-flavor-access:is_public": bool(row["public"]),
    }  # fmt: skip


def _services(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["binary"] in ("nova-osapi_compute", "nova-ec2", "nova-metadata"):
        return None
    return {**row, "status": "enabled" if row["enabled"] else "disabled"}


def _servers(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["vm_state"] == "soft-delete":
        return None
    image = {"id": row["image"].split("?")[0].rsplit("/", 1)[-1]} if row["image"] else ""
    flavor = json.loads(row["flavor"])["cur"]["nova_object.data"]["flavorid"]
    return {
        "name": row["name"], "tenant_id": row["project"] or "", "user_id": row["user"] or "", "image": image,
        "flavor": {"id": flavor}, "key_name": row["key_name"], "OS-EXT-STS:vm_state": row["vm_state"],
        "OS-EXT-SRV-ATTR:host": row["host"],
    }  # fmt: skip


def _networks(row: dict[str, Any]) -> dict[str, Any] | None:
    up = None if row["admin_state_up"] is None else bool(row["admin_state_up"])
    return {**row, "tenant_id": row["project"], "admin_state_up": up, "subnets": ["s"] * row["subnets"]}


def _volumes(row: dict[str, Any]) -> dict[str, Any] | None:
    shown = {"managing": "creating", "error_managing": "error", "error_managing_deleting": "deleting"}
    bootable = None if row["bootable"] is None else bool(row["bootable"])
    kind = row["type"] if row["type_there"] else row["type_id"]
    return {
        "name": row["name"], "size": row["size"] or 0, "status": shown.get(row["status"], row["status"]), "user_id": row["user"],
        "os-vol-tenant-attr:tenant_id": row["project"], "bootable": str(bootable).lower(), "volume_type": kind,
        "attachments": [{}] * row["attachments"] if row["attach_status"] == "attached" else [],
    }  # fmt: skip


API: dict[str, Any] = {
    "catalogue services": lambda row: {**row, "enabled": bool(row["enabled"])},
    "images": _images,
    "flavors": _flavors,
    "compute services": _services,
    "servers": _servers,
    "networks": _networks,
    "volumes": _volumes,
}


def baseline(resource: Resource, held: dict[str, dict[str, Any]]) -> resources.Taken:
    columns = resource.fields + resource.more
    return resources.taken(resource, [(one, *(row[name] for name in columns)) for one, row in held.items()])


def listed(resource: Resource, held: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """What the fake API answers, as the client makes records of it."""
    items = [(one, API[resource.name](row)) for one, row in held.items()]
    return [resource.record({**item, "id": one}) for one, item in items if item is not None]


def test_every_resource_of_a_baseline_has_its_odd_rows() -> None:
    assert {one.name for one in RESOURCES if one.statement} == set(COLUMNS) == set(API)
    for name, columns in COLUMNS.items():
        assert set(columns) == {*BY_NAME[name].fields, *BY_NAME[name].more}


@pytest.mark.parametrize("name", COLUMNS)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(data=st.data())
def test_no_odd_row_that_the_api_tolerates_ends_a_good_rehearsal(name: str, data: st.DataObject) -> None:
    resource, held = BY_NAME[name], data.draw(cloud(name))
    before, answer = baseline(resource, held), listed(resource, held)
    assert compare.findings(resource, before.records, answer, ("upg01",)) == []
    assert {one for one, _ in answer} == set(before.records)
    assert set(held) - set(before.records) <= {one for ids in before.notes.values() for one in ids}, (
        "left out, and said"
    )


@pytest.mark.parametrize("name", COLUMNS)
@settings(deadline=None, derandomize=True, max_examples=15)
@given(data=st.data())
def test_a_row_that_is_lost_among_them_is_named_all_the_same(name: str, data: st.DataObject) -> None:
    resource, held = BY_NAME[name], data.draw(cloud(name))
    before, answer = baseline(resource, held), listed(resource, held)
    if not answer:
        return
    assume(answer)
    lost = data.draw(st.sampled_from(answer))
    (finding,) = compare.findings(resource, before.records, [one for one in answer if one is not lost], ("upg01",))
    assert finding["severity"] == BLOCKER and f"1 of {len(before.records)} missing: {lost[0]}" in finding["what"]


@pytest.mark.parametrize(
    ("text", "public"),
    [
        (embedded("7", "9"), "7"),
        (None, None),
        ("", None),
        ("[1]", None),
        ("{broken", None),
        ('{"cur": null}', None),
        ('{"cur": {"nova_object.data": {"flavorid": 5}}}', "5"),
    ],
)
def test_a_servers_flavor_is_the_one_in_its_own_record(text: str | None, public: str | None) -> None:
    assert rows._flavor(text) == public


def test_what_is_left_out_is_said_with_its_ids() -> None:
    row = dict.fromkeys(BY_NAME["volumes"].fields, None)
    held = {"v1": {**row, "attachments": 1, "attach_status": "detached", "type_id": None, "type_there": None}}
    taken = baseline(BY_NAME["volumes"], held)
    assert taken.records["v1"]["attachments"] == 0 and taken.notes == {
        "attachments of volumes that are not attached": ["v1"]
    }
    services = {"1": {"binary": "nova-ec2", "host": "h", "disabled_reason": None, "enabled": 1}}
    assert baseline(BY_NAME["compute services"], services) == resources.Taken({}, {"rows of nova-ec2": ["1"]})
