"""Rows that exist once per cloud, project, user or host: services, hypervisors, flavors, aggregates, groups, keys, quotas."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from upgrader.lab.mitaka.instances import Instance, group_owner, key_name, policy, public_key
from upgrader.lab.mitaka.shape import (
    CONTROLLERS,
    ERROR,
    FLAVORS,
    LIVE,
    PRIVATE,
    PRIVATE_PROJECTS,
    TODAY,
    VFS_PER_HOST,
    Shape,
    generator,
    uuid4,
)

Rows = list[dict[str, Any]]
SERVICE_VERSION_MITAKA = 9
CONTROL_BINARIES = (
    ("nova-conductor", "conductor"),
    ("nova-scheduler", "scheduler"),
    ("nova-consoleauth", "consoleauth"),
    ("nova-osapi_compute", None),
)
HOST_VCPUS, HOST_MEMORY_MB, HOST_DISK_GB = 96, 524288, 20000


def dated(identity: int, *, deleted: datetime | None = None, created: datetime | None = None) -> dict[str, Any]:
    """The columns that every table of nova's main database has; a soft-deleted row names its own key."""
    made = created or TODAY - timedelta(days=740)
    return {
        "created_at": made,
        "updated_at": None,
        "deleted_at": deleted,
        "id": identity,
        "deleted": identity if deleted else 0,
    }


def before_instances(shape: Shape) -> dict[str, Rows]:
    """Tables that instances and their satellites refer to."""
    return {
        "nova.services": list(_services(shape)),
        "nova.instance_types": [_flavor(number) for number in range(len(FLAVORS))],
        "nova.instance_type_extra_specs": list(_extra_specs()),
        "nova.instance_type_projects": [
            {**dated(n + 1), "instance_type_id": PRIVATE.id, "project_id": shape.projects[n]}
            for n in range(PRIVATE_PROJECTS)
        ],
        "nova.aggregates": [
            {**dated(n + 1, deleted=gone), "name": name, "uuid": uuid4(generator(shape.seed, "aggregate", n))}
            for n, (name, gone) in enumerate(
                (("az1", None), ("az2", None), ("ssd", None), ("old", TODAY - timedelta(days=300)))
            )
        ],
        "nova.aggregate_metadata": [
            {**dated(n + 1), "aggregate_id": n + 1, "key": key, "value": value}
            for n, (key, value) in enumerate(
                (("availability_zone", "az1"), ("availability_zone", "az2"), ("ssd", "true"))
            )
        ],
        "nova.aggregate_hosts": [
            {**dated(n + 1), "host": host, "aggregate_id": number}
            for n, (number, host) in enumerate(_aggregated(shape))
        ],
        "nova.key_pairs": list(_key_pairs(shape)),
        "nova.security_groups": [
            {
                **dated(n + 1),
                "name": "default",
                "description": "default",
                "user_id": shape.users(project)[0],
                "project_id": project,
            }
            for n, project in enumerate(shape.projects)
        ],
        **_groups(shape),
    }


def _services(shape: Shape) -> Iterator[dict[str, Any]]:
    hosts: list[tuple[str, str, str | None]] = []
    for number, controller in enumerate(CONTROLLERS, 11):
        # nova-api registers under the address it listens on, the others under the host's name.
        hosts += [(controller if topic else f"10.30.255.{number}", binary, topic) for binary, topic in CONTROL_BINARIES]
    hosts += [(shape.host(n), "nova-compute", "compute") for n in range(1, shape.hosts + 1)]
    hosts.append(("cmp999", "nova-compute", "compute"))
    for number, (host, binary, topic) in enumerate(hosts, 1):
        gone = TODAY - timedelta(days=200) if host == "cmp999" else None
        disabled = host == shape.host(shape.hosts) and shape.hosts > 4
        seen = gone or TODAY - timedelta(seconds=number % 10)
        yield {
            **dated(number, deleted=gone), "host": host, "binary": binary, "topic": topic, "report_count": 6_000_000 + number,
            "disabled": int(disabled), "disabled_reason": "hardware: fan" if disabled else None, "last_seen_up": seen, "forced_down": 0,
            "version": SERVICE_VERSION_MITAKA,
        }  # fmt: skip


def _flavor(number: int) -> dict[str, Any]:
    item = FLAVORS[number]
    return {
        **dated(item.id, deleted=TODAY - timedelta(days=400) if item.deleted else None), "name": item.name, "memory_mb": item.memory_mb,
        "vcpus": item.vcpus, "swap": item.swap, "vcpu_weight": 0, "flavorid": item.flavorid, "rxtx_factor": 1.0, "root_gb": item.root_gb,
        "ephemeral_gb": item.ephemeral_gb, "disabled": 0, "is_public": int(item.public),
    }  # fmt: skip


def _extra_specs() -> Iterator[dict[str, Any]]:
    specs = [(item.id, key, value) for item in FLAVORS for key, value in item.extra_specs.items()]
    for number, (flavor, key, value) in enumerate(specs, 1):
        yield {**dated(number), "instance_type_id": flavor, "key": key, "value": value}


def _aggregated(shape: Shape) -> list[tuple[int, str]]:
    zones = [(1 if n % 2 else 2, shape.host(n)) for n in range(1, shape.hosts + 1)]
    return zones + [(3, shape.host(n)) for n in range(1, shape.hosts + 1, 4)]


def _key_pairs(shape: Shape) -> Iterator[dict[str, Any]]:
    users = [user for project in shape.projects for user in shape.users(project)]
    for number, user in enumerate([*users, users[0]], 1):
        gone = TODAY - timedelta(days=100) if number > len(users) else None
        digest = f"{generator(shape.seed, 'key', number).getrandbits(128):032x}"
        fingerprint = ":".join(digest[i : i + 2] for i in range(0, 32, 2))
        name = "lost-laptop" if gone else key_name(user)
        key = {"name": name, "user_id": user, "fingerprint": fingerprint, "public_key": public_key(user), "type": "ssh"}
        yield {**dated(number, deleted=gone), **key}


def _groups(shape: Shape) -> dict[str, Rows]:
    groups, policies = [], []
    for number in range(shape.groups + 1):
        gone = TODAY - timedelta(days=90) if number == shape.groups else None
        project, user = group_owner(shape, number)
        uuid = shape.group_uuid(number)
        groups.append(
            {
                **dated(number + 1, deleted=gone),
                "user_id": user,
                "project_id": project,
                "uuid": uuid,
                "name": f"group-{number + 1}",
            }
        )
        policies.append({**dated(number + 1, deleted=gone), "policy": policy(number), "group_id": number + 1})
    return {"nova.instance_groups": groups, "nova.instance_group_policy": policies}


class Usage:
    """What the live instances use, summed by host and by user, so that hypervisors and quotas agree with the instances."""

    def __init__(self) -> None:
        self.host: Counter[tuple[int, str]] = Counter()
        self.user: Counter[tuple[str, str, str]] = Counter()
        self.vf: dict[tuple[int, int], str] = {}

    def add(self, instance: Instance) -> None:
        if instance.state not in (LIVE, ERROR):
            return
        for resource, amount in (
            ("instances", 1),
            ("cores", instance.flavor.vcpus),
            ("ram", instance.flavor.memory_mb),
        ):
            self.user[instance.project, instance.user, resource] += amount
        if instance.state == LIVE:
            flavor = instance.flavor
            for resource, amount in (
                ("vms", 1),
                ("cores", flavor.vcpus),
                ("ram", flavor.memory_mb),
                ("disk", flavor.root_gb),
            ):
                self.host[instance.host_number, resource] += amount
            if instance.vf:
                self.vf[instance.vf] = instance.uuid


def after_instances(shape: Shape, usage: Usage) -> dict[str, Rows]:
    """Tables that sum up the instances."""
    usages = [
        {
            **dated(n),
            "project_id": project,
            "resource": resource,
            "in_use": amount,
            "reserved": 0,
            "until_refresh": None,
            "user_id": user,
        }
        for n, ((project, user, resource), amount) in enumerate(sorted(usage.user.items()), 1)
    ]
    limits = [(project, resource) for project in shape.projects for resource in ("instances", "cores", "ram")]
    return {
        "nova.compute_nodes": [_compute_node(shape, n, usage) for n in range(1, shape.hosts + 1)],
        "nova.pci_devices": list(_pci_devices(shape, usage)),
        "nova.quotas": [
            {**dated(n), "project_id": project, "resource": resource, "hard_limit": -1}
            for n, (project, resource) in enumerate(limits, 1)
        ],
        "nova.quota_usages": usages,
        "nova.reservations": [_reservation(shape, n, row) for n, row in enumerate(usages[:3], 1)],
    }


def _reservation(shape: Shape, number: int, usage: dict[str, Any]) -> dict[str, Any]:
    committed = TODAY - timedelta(days=number)
    return {
        **dated(number, deleted=committed), "uuid": uuid4(generator(shape.seed, "reservation", number)), "usage_id": usage["id"],
        "project_id": usage["project_id"], "resource": usage["resource"], "delta": 1, "expire": committed + timedelta(days=1),
        "user_id": usage["user_id"],
    }  # fmt: skip


def _compute_node(shape: Shape, number: int, usage: Usage) -> dict[str, Any]:
    used = {resource: usage.host[number, resource] for resource in ("vms", "cores", "ram", "disk")}
    topology = {"cores": 24, "cells": 2, "threads": 2, "sockets": 1}
    cpu = {
        "vendor": "Intel",
        "model": "Haswell-noTSX",
        "arch": "x86_64",
        "features": ["aes", "avx2"],
        "topology": topology,
    }
    stats = {
        "num_instances": str(used["vms"]),
        "num_vm_active": str(used["vms"]),
        "io_workload": "0",
        "num_task_None": str(used["vms"]),
    }
    name = shape.host(number)
    return {
        **dated(number), "service_id": None, "vcpus": HOST_VCPUS, "memory_mb": HOST_MEMORY_MB, "local_gb": HOST_DISK_GB,
        "vcpus_used": used["cores"], "memory_mb_used": 512 + used["ram"], "local_gb_used": used["disk"], "hypervisor_type": "QEMU",
        "hypervisor_version": 2005000, "cpu_info": json.dumps(cpu), "disk_available_least": HOST_DISK_GB - used["disk"],
        "free_ram_mb": HOST_MEMORY_MB - 512 - used["ram"], "free_disk_gb": HOST_DISK_GB - used["disk"], "current_workload": 0,
        "running_vms": used["vms"], "hypervisor_hostname": f"{name}.lab.local", "host_ip": f"10.30.{number >> 8}.{number & 255}",
        "supported_instances": json.dumps([["x86_64", "kvm", "hvm"], ["i686", "kvm", "hvm"]]), "pci_stats": None, "metrics": "[]",
        "extra_resources": None, "stats": json.dumps(stats), "numa_topology": None, "host": name, "ram_allocation_ratio": 1.5,
        "cpu_allocation_ratio": 16.0, "uuid": uuid4(generator(shape.seed, "compute", number)), "disk_allocation_ratio": 1.0,
    }  # fmt: skip


def _pci_devices(shape: Shape, usage: Usage) -> Iterator[dict[str, Any]]:
    """One physical function and its VFs on each SR-IOV host; every VF names its parent, as 330 demands."""
    identity = 0
    for host in range(1, shape.sriov_hosts + 1):
        parent = "0000:05:00.1"
        for function in range(-1, VFS_PER_HOST):
            identity += 1
            address = parent if function < 0 else f"0000:05:{16 + function // 8:02x}.{function % 8}"
            product, kind = ("10fb", "type-PF") if function < 0 else ("10ed", "type-VF")
            owner = usage.vf.get((host, function))
            status = "unavailable" if function < 0 else "allocated" if owner else "available"
            yield {
                **dated(identity), "compute_node_id": host, "address": address, "product_id": product, "vendor_id": "8086", "dev_type": kind,
                "dev_id": f"pci_{address.replace(':', '_').replace('.', '_')}", "label": f"label_8086_{product}", "status": status,
                "extra_info": "{}", "instance_uuid": owner, "request_id": None, "numa_node": 0, "parent_addr": None if function < 0 else parent,
            }  # fmt: skip
