"""Cinder at 72: the volumes that nova's instances hold, others that nobody holds, a consistency group, old RPC versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.instances import Instance
from upgrader.lab.mitaka.shape import CONTROLLERS, DELETED, TODAY, Shape, dated, generator, uuid4

BACKEND = "rbd"
POOL = f"ctl01@{BACKEND}#volumes"
SPARE_EVERY, SNAPSHOT_EVERY, BACKUP_EVERY = 6, 4, 9
GROUPED = 2
# What Mitaka's services wrote down of themselves: RPC versions from the comments in cinder's rpcapi modules.
BINARIES = (
    ("cinder-scheduler", "", "1.11"),
    ("cinder-volume", f"@{BACKEND}", "1.40"),
    ("cinder-backup", "", "1.3"),
)
OBJECTS = "1.3"
TYPES = ("standard", "ssd", "secret")
STANDARD, SSD, SECRET = TYPES
QUOTAS = ("volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes")
TABLES = (
    "cinder.volumes", "cinder.volume_attachment", "cinder.volume_metadata", "cinder.volume_admin_metadata",
    "cinder.volume_glance_metadata", "cinder.snapshots", "cinder.snapshot_metadata", "cinder.backups",
)  # fmt: skip


def type_id(shape: Shape, name: str) -> str:
    return uuid4(generator(shape.seed, "volume type", name))


def fixed(shape: Shape) -> Tables:
    """Services, types, quotas and a consistency group with its volumes and a snapshot of all of them."""
    made = TODAY - timedelta(days=800)
    quality = uuid4(generator(shape.seed, "qos"))
    return {
        "cinder.services": list(_services()),
        "cinder.quality_of_service_specs": list(_quality(shape, quality, made)),
        "cinder.volume_types": [
            {
                "id": type_id(shape, name), "name": name, "qos_specs_id": quality if name == SSD else None,
                "is_public": int(name != SECRET), "description": "büro" if name == SECRET else None, **dated(made),
            }
            for name in TYPES
        ],
        "cinder.volume_type_extra_specs": [
            {"volume_type_id": type_id(shape, name), "key": "volume_backend_name", "value": BACKEND, **dated(made)} for name in TYPES
        ],
        "cinder.volume_type_projects": [
            {"volume_type_id": type_id(shape, SECRET), "project_id": shape.projects[0], **dated(made)}
        ],
        "cinder.encryption": [
            {
                "encryption_id": uuid4(generator(shape.seed, "encryption")), "volume_type_id": type_id(shape, SECRET), "cipher": "aes-xts-plain64",
                "key_size": 256, "control_location": "front-end", "provider": "nova.volume.encryptors.luks.LuksEncryptor", **dated(made),
            }
        ],
        "cinder.quotas": [
            {"project_id": project, "resource": resource, "hard_limit": 1000, "allocated": 0, **dated(made)}
            for project in shape.projects
            for resource in QUOTAS
        ],
        **_consistency_group(shape),
    }  # fmt: skip


def _services() -> Iterator[dict[str, Any]]:
    for number, controller in enumerate(CONTROLLERS):
        for binary, backend, rpc in BINARIES:
            seen = TODAY - timedelta(seconds=number)
            yield {
                **dated(TODAY - timedelta(days=300)), "updated_at": seen, "modified_at": None, "host": f"{controller}{backend}",
                "binary": binary, "topic": binary, "report_count": 2_500_000 + number, "disabled": 0, "availability_zone": "nova",
                "disabled_reason": None, "rpc_current_version": rpc, "rpc_available_version": rpc, "object_current_version": OBJECTS,
                "object_available_version": OBJECTS, "replication_status": "not-capable", "frozen": 0, "active_backend_id": None,
            }  # fmt: skip


def _quality(shape: Shape, identity: str, made: datetime) -> Iterator[dict[str, Any]]:
    """The first row names the set, the others are its values."""
    yield {"id": identity, "specs_id": None, "key": "QoS_Specs_Name", "value": "fast", **dated(made)}
    for key, value in (("consumer", "front-end"), ("total_iops_sec", "5000")):
        row = uuid4(generator(shape.seed, "qos", key))
        yield {"id": row, "specs_id": identity, "key": key, "value": value, **dated(made)}


def _consistency_group(shape: Shape) -> Tables:
    project, made = shape.projects[0], TODAY - timedelta(days=60)
    owner = {"user_id": shape.users(project)[0], "project_id": project, "status": "available"}
    group, together = (uuid4(generator(shape.seed, "consistency group", part)) for part in ("group", "snapshot"))
    volumes, snapshots = [], []
    for number in range(GROUPED):
        identity = uuid4(generator(shape.seed, "grouped volume", number))
        volumes.append(
            _volume(shape, identity, project, owner["user_id"], made, SSD) | {"display_name": f"grouped-{number}", "consistencygroup_id": group}
        )  # fmt: skip
        snapshots.append(
            _snapshot(volumes[-1], uuid4(generator(shape.seed, "grouped snapshot", number)))
            | {"cgsnapshot_id": together}
        )
    return {
        # A list that ends with a comma, as Mitaka wrote it.
        "cinder.consistencygroups": [
            {
                **dated(made), "id": group, **owner, "host": POOL, "availability_zone": "nova", "name": "database", "description": "büro",
                "volume_type_id": f"{type_id(shape, SSD)},{type_id(shape, STANDARD)},", "cgsnapshot_id": None, "source_cgid": None,
            }
        ],
        "cinder.cgsnapshots": [
            {**dated(made), "id": together, "consistencygroup_id": group, **owner, "name": "monday", "description": None}
        ],
        "cinder.volumes": volumes,
        "cinder.snapshots": snapshots,
    }  # fmt: skip


def of_instances(instances: Sequence[Instance]) -> Tables:
    """The volume that an instance has, and one that nobody has for every sixth."""
    tables: Tables = {table: [] for table in TABLES}
    for instance in instances:
        if instance.volume:
            _attached(tables, instance, instance.volume)
        if instance.number % SPARE_EVERY == 0:
            _spare(tables, instance)
    return tables


def after_instances(sums: Mapping[tuple[str, str], int]) -> Tables:
    """What each project uses."""
    made = TODAY - timedelta(days=700)
    return {
        "cinder.quota_usages": [
            {
                "project_id": project,
                "resource": resource,
                "in_use": amount,
                "reserved": 0,
                "until_refresh": None,
                **dated(made),
            }
            for (project, resource), amount in sorted(sums.items())
        ]
    }


def usage(tables: Tables) -> Iterator[tuple[tuple[str, str], int]]:
    """What live volumes and snapshots add to their projects' usage."""
    for table, resource, size in (("volumes", "volumes", "size"), ("snapshots", "snapshots", "volume_size")):
        for row in tables[f"cinder.{table}"]:
            if not row["deleted"]:
                yield (row["project_id"], resource), 1
                yield (row["project_id"], "gigabytes"), row[size]


def _volume(shape: Shape, identity: str, project: str, user: str, made: datetime, kind: str) -> dict[str, Any]:
    return {
        **dated(made), "id": identity, "user_id": user, "project_id": project, "host": POOL, "size": 10, "availability_zone": "nova",
        "status": "available", "attach_status": "detached", "scheduled_at": made, "launched_at": made, "terminated_at": None,
        "display_name": f"volume-{identity[:8]}", "display_description": None, "volume_type_id": type_id(shape, kind), "bootable": 0,
        "replication_status": "disabled", "multiattach": 0, "snapshot_id": None, "source_volid": None, "consistencygroup_id": None,
        "migration_status": None, "provider_location": None, "encryption_key_id": None,
    }  # fmt: skip


def _attached(tables: Tables, instance: Instance, identity: str) -> None:
    """As nova's block_device_mapping has it; the volume of a deleted instance was let go and deleted in turn."""
    made, gone = instance.created, instance.deleted_at
    row = _volume(instance.shape, identity, instance.project, instance.user, made, TYPES[instance.number % 2])
    if instance.state == DELETED:
        row |= {**dated(made, gone), "status": "deleted", "terminated_at": gone}
    else:
        row |= {"status": "in-use", "attach_status": "attached"}
    tables["cinder.volumes"].append(row)
    tables["cinder.volume_attachment"].append(
        {
            **dated(made, gone), "id": uuid4(generator(instance.shape.seed, "attachment", instance.number)), "volume_id": identity,
            "attached_host": None, "instance_uuid": instance.uuid, "mountpoint": "/dev/vdb", "attach_time": made, "detach_time": gone,
            "attach_mode": "rw", "attach_status": "detached" if gone else "attached",
        }
    )  # fmt: skip
    for key, value in (("readonly", "False"), ("attached_mode", "rw")):
        tables["cinder.volume_admin_metadata"].append(
            {"volume_id": identity, "key": key, "value": value, **dated(made, gone)}
        )
    if instance.number % SNAPSHOT_EVERY == 0 and not gone:
        _snapshots(tables, instance, row)


def _snapshots(tables: Tables, instance: Instance, volume: dict[str, Any]) -> None:
    identity = uuid4(generator(instance.shape.seed, "volume snapshot", instance.number))
    tables["cinder.snapshots"].append(_snapshot(volume, identity) | {"cgsnapshot_id": None})
    tables["cinder.snapshot_metadata"].append(
        {"snapshot_id": identity, "key": "why", "value": "büro", **dated(volume["created_at"])}
    )


def _snapshot(volume: dict[str, Any], identity: str) -> dict[str, Any]:
    return {
        **dated(volume["created_at"] + timedelta(hours=5)), "id": identity, "volume_id": volume["id"], "user_id": volume["user_id"],
        "project_id": volume["project_id"], "status": "available", "progress": "100%", "volume_size": volume["size"],
        "display_name": f"snapshot of {volume['display_name']}", "volume_type_id": volume["volume_type_id"],
    }  # fmt: skip


def _spare(tables: Tables, instance: Instance) -> None:
    """Bootable, made from an image, attached to nothing; some have a backup."""
    shape, number = instance.shape, instance.number
    identity = uuid4(generator(shape.seed, "spare volume", number))
    volume = _volume(shape, identity, instance.project, instance.user, instance.created, STANDARD)
    tables["cinder.volumes"].append(volume | {"bootable": 1})
    when = dated(instance.created)
    tables["cinder.volume_metadata"].append({"volume_id": identity, "key": "role", "value": "spare", **when})
    for key, value in (("image_id", instance.image.id), ("image_name", instance.image.name), ("min_disk", "1")):
        tables["cinder.volume_glance_metadata"].append({"volume_id": identity, "key": key, "value": value, **when})
    if number % BACKUP_EVERY == 0:
        tables["cinder.backups"].append(
            {
                **when, "id": uuid4(generator(shape.seed, "backup", number)), "volume_id": identity, "user_id": instance.user,
                "project_id": instance.project, "host": "ctl01", "availability_zone": "nova", "display_name": "weekly", "container": "backups",
                "status": "available", "service": "cinder.backup.drivers.ceph", "size": 10, "object_count": 0, "num_dependent_backups": 0,
                "data_timestamp": instance.created,
            }
        )  # fmt: skip
