"""The rows of one instance: the instance itself and all tables that hang on its uuid."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from upgrader.lab.mitaka import notation
from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.shape import (
    DELETED,
    ERROR,
    LIVE,
    NUMA,
    PLAIN,
    PRIVATE,
    PRIVATE_PROJECTS,
    SRIOV,
    Flavor,
    Image,
    Shape,
    generator,
    uuid4,
)

STATES = (
    ("active", 1),
    ("active", 1),
    ("active", 1),
    ("active", 1),
    ("active", 1),
    ("active", 1),
    ("stopped", 4),
    ("paused", 3),
    ("suspended", 4),
)
TABLES = (
    "nova.instances", "nova.instance_extra", "nova.instance_info_caches", "nova.instance_metadata",
    "nova.instance_system_metadata", "nova.block_device_mapping", "nova.security_group_instance_association",
    "nova.instance_faults", "nova.instance_actions", "nova.instance_actions_events", "nova.migrations",
    "nova.instance_group_member", "nova_api.request_specs",
)  # fmt: skip


class Ids:
    """Primary keys are given by us, because a soft-deleted row names its own key in ``deleted``."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def next(self, table: str) -> int:
        self._last[table] = self._last.get(table, 0) + 1
        return self._last[table]


class Instance:
    """One instance of the shape, drawn once; its tables are read off it."""

    def __init__(self, shape: Shape, number: int) -> None:
        rng = generator(shape.seed, "rows", number)
        self.shape, self.number, self.rng = shape, number, rng
        self.uuid, self.state = shape.identity(number)
        self.created = shape.created(number)
        self.project_number = rng.randrange(len(shape.projects))
        self.project = shape.projects[self.project_number]
        self.user = rng.choice(shape.users(self.project))
        self.image: Image = rng.choice(shape.images)
        self.vf = shape.vf_of(number)
        self.flavor = self._flavor(rng)
        self.host_number = self.vf[0] if self.vf else rng.randrange(shape.hosts) + 1
        self.host = None if self.state == ERROR else shape.host(self.host_number)
        self.zone = shape.zone(self.host_number)
        self.group = shape.group_of(number)
        # Drawn with the rows, where they stand; what they are in neutron's and cinder's databases.
        self.port: str | None = None
        self.volume: str | None = None
        self.deleted_at = self.created + timedelta(seconds=rng.randrange(600, 3000)) if self.state == DELETED else None

    def _flavor(self, rng: random.Random) -> Flavor:
        if self.vf:
            return SRIOV
        if self.number % 53 == 5:
            return NUMA
        if self.project_number < PRIVATE_PROJECTS and rng.random() < 0.2:
            return PRIVATE
        return rng.choice(PLAIN)

    @property
    def mac(self) -> str:
        return f"fa:16:3e:{self.number >> 16 & 255:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}"

    @property
    def address(self) -> str:
        """From 10.0.1.0 on: what is below belongs to gateways and DHCP servers."""
        number = self.number + 256
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    @property
    def numa(self) -> dict[str, Any] | None:
        return notation.numa_topology(self.uuid, self.flavor) if self.flavor is NUMA else None

    @property
    def pci(self) -> dict[str, Any] | None:
        return notation.pci_request_fields(uuid4(generator(self.shape.seed, "pci", self.number))) if self.vf else None


def key_name(user: str) -> str:
    return f"key-{user[:6]}"


def public_key(user: str) -> str:
    return f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ{user * 8} {key_name(user)}"


def instance_tables(instance: Instance, ids: Ids) -> Tables:
    """Every row of ``instance``, by table, in an order that satisfies the foreign keys."""
    tables: Tables = {table: [] for table in TABLES}
    row_id = ids.next("nova.instances")
    tables["nova.instances"].append(_instance_row(instance, row_id))
    for table, row in (*_attached(instance), *_rare(instance)):
        identity = ids.next(table)
        dated = {"created_at": instance.created, "updated_at": None, "deleted_at": instance.deleted_at, "id": identity}
        tables[table].append({**dated, "deleted": identity if instance.deleted_at else 0, **row})
    _actions(instance, ids, tables)
    if instance.shape.has_request_spec(instance.number):
        spec = {"created_at": instance.created, "updated_at": None, "id": ids.next("nova_api.request_specs")}
        tables["nova_api.request_specs"].append(
            {**spec, "instance_uuid": instance.uuid, "spec": _request_spec(instance)}
        )
    return tables


def _instance_row(instance: Instance, row_id: int) -> dict[str, Any]:
    rng, flavor, live = instance.rng, instance.flavor, instance.state == LIVE
    vm_state, power = rng.choice(STATES) if live else (instance.state, 0)
    keyed = rng.random() < 0.8
    launched = None if instance.state == ERROR else instance.created + timedelta(seconds=rng.randrange(8, 90))
    return {
        "created_at": instance.created, "updated_at": launched or instance.created, "deleted_at": instance.deleted_at,
        "id": row_id, "user_id": instance.user, "project_id": instance.project, "image_ref": instance.image.id, "kernel_id": "",
        "ramdisk_id": "", "launch_index": 0, "key_name": key_name(instance.user) if keyed else None,
        "key_data": public_key(instance.user) if keyed else None, "power_state": power, "vm_state": vm_state,
        "memory_mb": flavor.memory_mb, "vcpus": flavor.vcpus, "hostname": f"vm-{instance.number:06d}", "host": instance.host,
        "user_data": None, "reservation_id": f"r-{rng.getrandbits(40):010x}"[:10], "launched_at": launched,
        "terminated_at": instance.deleted_at, "display_name": f"vm-{instance.number:06d}",
        "display_description": f"vm-{instance.number:06d}", "availability_zone": instance.zone if instance.host else None,
        "locked": 0, "os_type": None, "launched_on": instance.host, "instance_type_id": flavor.id, "vm_mode": None,
        "uuid": instance.uuid, "architecture": None, "root_device_name": "/dev/vda" if instance.host else None, "access_ip_v4": None,
        "access_ip_v6": None, "config_drive": "", "task_state": None, "default_ephemeral_device": None, "default_swap_device": None,
        "progress": 0, "auto_disk_config": 1, "shutdown_terminate": 0, "disable_terminate": 0, "root_gb": flavor.root_gb,
        "ephemeral_gb": flavor.ephemeral_gb, "cell_name": None, "node": f"{instance.host}.lab.local" if instance.host else None,
        "deleted": row_id if instance.deleted_at else 0, "locked_by": None, "cleaned": int(instance.state == DELETED),
        "ephemeral_key_uuid": None,
    }  # fmt: skip


def _attached(instance: Instance) -> Iterator[tuple[str, dict[str, Any]]]:
    """What every instance has: extra, network cache, image metadata, root disk, default security group."""
    uuid, rng, image = instance.uuid, instance.rng, instance.image
    pci, numa = instance.pci, instance.numa
    yield "nova.instance_extra", {
        "instance_uuid": uuid, "numa_topology": json.dumps(numa) if numa else None, "migration_context": None,
        "pci_requests": json.dumps([pci] if pci else []), "flavor": notation.instance_flavor(instance.flavor),
        "vcpu_model": notation.vcpu_model() if instance.host else None,
    }  # fmt: skip
    port = uuid4(rng)
    instance.port = port if instance.host else None
    info = notation.network_info(port, instance.shape.network(instance.project), instance.mac, instance.address)
    yield "nova.instance_info_caches", {"instance_uuid": uuid, "network_info": info if instance.host else "[]"}
    for key, value in {
        "image_base_image_ref": image.id, "image_container_format": "bare", "image_disk_format": "qcow2",
        "image_min_disk": str(instance.flavor.root_gb), "image_min_ram": str(image.min_ram),
        **{f"image_{key}": value for key, value in image.properties.items()},
    }.items():  # fmt: skip
        yield "nova.instance_system_metadata", {"instance_uuid": uuid, "key": key, "value": value}
    if rng.random() < 0.4:
        yield (
            "nova.instance_metadata",
            {"instance_uuid": uuid, "key": "role", "value": rng.choice(("web", "db", "büro", "ci"))},
        )
    yield "nova.block_device_mapping", _disk(uuid, "/dev/vda", "image", "local", 0, image_id=image.id)
    if instance.host and rng.random() < 0.25:
        instance.volume = uuid4(rng)
        yield "nova.block_device_mapping", _disk(uuid, "/dev/vdb", "volume", "volume", None, volume_id=instance.volume)
    group = instance.project_number + 1
    yield "nova.security_group_instance_association", {"security_group_id": group, "instance_uuid": uuid}


def _disk(
    uuid: str,
    device: str,
    source: str,
    destination: str,
    boot_index: int | None,
    image_id: str | None = None,
    volume_id: str | None = None,
) -> dict[str, Any]:
    connection = {
        "driver_volume_type": "rbd",
        "serial": volume_id,
        "data": {"name": f"volumes/volume-{volume_id}", "access_mode": "rw"},
    }
    return {
        "device_name": device, "delete_on_termination": int(image_id is not None), "snapshot_id": None, "volume_id": volume_id,
        "volume_size": 10 if volume_id else None, "no_device": 0, "connection_info": json.dumps(connection) if volume_id else None,
        "instance_uuid": uuid, "source_type": source, "destination_type": destination, "guest_format": None, "device_type": "disk",
        "disk_bus": "virtio" if volume_id else None, "boot_index": boot_index, "image_id": image_id,
    }  # fmt: skip


def _rare(instance: Instance) -> Iterator[tuple[str, dict[str, Any]]]:
    """Faults of those in error, finished migrations of a few, membership of server groups."""
    uuid = instance.uuid
    if instance.state == ERROR:
        message = "No valid host was found. There are not enough hosts available."
        yield (
            "nova.instance_faults",
            {"instance_uuid": uuid, "code": 500, "message": message, "details": None, "host": "ctl01"},
        )
    if instance.state == LIVE and instance.number % 50 == 3:
        source = instance.shape.host(instance.host_number % instance.shape.hosts + 1)
        yield "nova.migrations", {
            "source_compute": source, "dest_compute": instance.host, "dest_host": None, "status": "completed", "instance_uuid": uuid,
            "old_instance_type_id": instance.flavor.id, "new_instance_type_id": instance.flavor.id, "source_node": f"{source}.lab.local",
            "dest_node": f"{instance.host}.lab.local", "migration_type": "live-migration", "hidden": 0,
        }  # fmt: skip
    if instance.group is not None:
        yield "nova.instance_group_member", {"instance_id": uuid, "group_id": instance.group + 1}


def _actions(instance: Instance, ids: Ids, tables: Tables) -> None:
    moments: list[tuple[str, str, datetime]] = [("create", "compute__do_build_and_run_instance", instance.created)]
    if instance.deleted_at:
        moments.append(("delete", "compute_terminate_instance", instance.deleted_at))
    for action, event, start in moments:
        identity = ids.next("nova.instance_actions")
        dated = {"created_at": start, "updated_at": None, "deleted_at": None, "deleted": 0, "start_time": start}
        request = f"req-{uuid4(instance.rng)}"
        tables["nova.instance_actions"].append(
            {**dated, "id": identity, "action": action, "instance_uuid": instance.uuid, "request_id": request, "user_id": instance.user,
             "project_id": instance.project, "finish_time": None, "message": "Error" if instance.state == ERROR else None}
        )  # fmt: skip
        if instance.host:
            tables["nova.instance_actions_events"].append(
                {**dated, "id": ids.next("nova.instance_actions_events"), "event": event, "action_id": identity,
                 "finish_time": start + timedelta(seconds=9), "result": "Success", "traceback": None, "host": instance.host, "details": None}
            )  # fmt: skip


def policy(group: int) -> str:
    return "affinity" if group % 2 else "anti-affinity"


def group_owner(shape: Shape, group: int) -> tuple[str, str]:
    project = shape.projects[group % len(shape.projects)]
    return project, shape.users(project)[0]


def _request_spec(instance: Instance) -> str:
    shape, group, stored = instance.shape, instance.group, None
    if group is not None:
        project, user = group_owner(shape, group)
        members = shape.group_members(group, instance.number)
        stored = notation.server_group(group + 1, shape.group_uuid(group), project, user, policy(group), members)
    return notation.request_spec(
        uuid=instance.uuid, project=instance.project, zone=instance.zone, item=instance.flavor, image=instance.image,
        numa=instance.numa, pci=instance.pci, group=stored,
    )  # fmt: skip
