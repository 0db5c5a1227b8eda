"""Glance at 44: ``is_public`` in place of a visibility, members, properties and locations."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.shape import TODAY, Shape, dated, generator, hex_id, uuid4

MEGABYTE = 1 << 20
SNAPSHOT_EVERY = 3
PUBLIC, SHARED, UNSHARED, DELETED, QUEUED, PRIVATE = "public", "shared", "unshared", "deleted", "queued", "private"
# What the snapshots of instances became, in turn: most stay private; an unshared one has lost its member again.
KINDS = (PRIVATE, SHARED, PRIVATE, DELETED, PRIVATE, PUBLIC, PRIVATE, UNSHARED, PRIVATE, QUEUED)


def snapshot_id(shape: Shape, number: int) -> str:
    return uuid4(generator(shape.seed, "image snapshot", number))


def fixed(shape: Shape) -> Tables:
    """The images that instances were booted from, and snapshots of every third instance."""
    tables: Tables = {
        f"glance.{table}": []
        for table in ("images", "image_properties", "image_locations", "image_members", "image_tags")
    }
    for image in shape.images:
        made = TODAY - timedelta(days=900)
        tables["glance.images"].append(
            _image(image.id, image.name, made, owner=hex_id(shape.seed, "keystone project", "admin"), kind=PUBLIC)
            | {
                "min_disk": image.min_disk,
                "min_ram": image.min_ram,
                "protected": 1,
                "checksum": "eb9139e4942121f22bbc2afc0400b2a4",
            }
        )
        _describe(tables, image.id, made, None, {**image.properties, "os_distro": image.name.split("-")[0]})
    for order, number in enumerate(range(1, shape.instances, SNAPSHOT_EVERY)):
        _snapshot(shape, tables, order, number)
    return tables | _tasks(shape) | _metadefs()


def _snapshot(shape: Shape, tables: Tables, order: int, number: int) -> None:
    kind = KINDS[order % len(KINDS)]
    owner = shape.projects[number % len(shape.projects)]
    identity, made = snapshot_id(shape, number), shape.created(number) + timedelta(hours=2)
    gone = made + timedelta(days=1) if kind == DELETED else None
    tables["glance.images"].append(_image(identity, f"snapshot of vm-{number:06d} (büro)", made, owner, kind, gone))
    properties = {
        "image_type": "snapshot", "instance_uuid": shape.identity(number)[0], "user_id": shape.users(owner)[0],
        "base_image_ref": shape.images[number % 3].id, "owner_id": owner,
    }  # fmt: skip
    if kind == QUEUED:
        return
    _describe(tables, identity, made, gone, properties)
    if kind in (SHARED, UNSHARED):
        left = made + timedelta(days=2) if kind == UNSHARED else None
        for turn in (1, 2) if kind == SHARED else (1,):
            member = shape.projects[(number + turn) % len(shape.projects)]
            tables["glance.image_members"].append(
                {"image_id": identity, "member": member, "can_share": 0, "status": ("pending", "accepted")[turn - 1]} | dated(made, left)
            )  # fmt: skip
    if order % 4 == 0:
        tables["glance.image_tags"].append({"image_id": identity, "value": "nightly"} | dated(made, gone))


def _image(
    identity: str, name: str, made: datetime, owner: str, kind: str, gone: datetime | None = None
) -> dict[str, Any]:
    queued = kind == QUEUED
    return {
        "id": identity, "name": name, "size": None if queued else 24 * MEGABYTE, **dated(made, gone),
        "status": kind if kind in (DELETED, QUEUED) else "active", "is_public": int(kind == PUBLIC), "disk_format": "qcow2",
        "container_format": "bare", "checksum": None if queued else identity.replace("-", ""), "owner": owner, "min_disk": 1,
        "min_ram": 0, "protected": 0, "virtual_size": None,
    }  # fmt: skip


def _describe(tables: Tables, identity: str, made: datetime, gone: datetime | None, properties: dict[str, str]) -> None:
    """Properties, and the place where the bytes are."""
    for name, value in properties.items():
        tables["glance.image_properties"].append(
            {"image_id": identity, "name": name, "value": value} | dated(made, gone)
        )
    place = f"rbd://7ce2c4d4-3f0b-4a54-9b1e-2d1f4c1f9a11/images/{identity}/snap"
    tables["glance.image_locations"].append(
        {"image_id": identity, "value": place, "meta_data": "{}", "status": "deleted" if gone else "active"} | dated(made, gone)
    )  # fmt: skip


def _tasks(shape: Shape) -> Tables:
    tasks, texts = [], []
    for number in range(5):
        identity, made = uuid4(generator(shape.seed, "task", number)), TODAY - timedelta(days=30 + number)
        tasks.append(
            {"id": identity, "type": "import", "status": "success" if number else "failure", "owner": shape.projects[0],
             "expires_at": made + timedelta(days=2)} | dated(made)
        )  # fmt: skip
        source = {
            "import_from_format": "qcow2",
            "import_from": "file:///srv/image.qcow2",
            "image_properties": {"name": "büro"},
        }
        texts.append(
            {"task_id": identity, "input": json.dumps(source), "result": None, "message": "" if number else "no space"}
        )
    return {"glance.tasks": tasks, "glance.task_info": texts}


def _metadefs() -> Tables:
    """One namespace of the operator's own beside those that `db load_metadefs` brings."""
    made = TODAY - timedelta(days=500)
    when = {"created_at": made, "updated_at": made}
    schema = json.dumps({"title": "Rack", "type": "string"})
    namespace = {"id": 1, "namespace": "LAB::Rack", "display_name": "Rack", "description": "Where it stands"}
    return {
        "glance.metadef_namespaces": [namespace | {"visibility": "public", "protected": 0, "owner": "admin"} | when],
        "glance.metadef_properties": [{"namespace_id": 1, "name": "rack", "json_schema": schema} | when],
        "glance.metadef_tags": [{"namespace_id": 1, "name": name} | when for name in ("cold", "warm")],
    }
