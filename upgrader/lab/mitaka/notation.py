"""JSON texts exactly as Mitaka's nova 13.1 wrote them: object names, versions and field sets read in the tag mitaka-eol."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from upgrader.lab.mitaka.shape import TODAY, Flavor, Image

ISO = "%Y-%m-%dT%H:%M:%SZ"


def nova_object(
    name: str, version: str, fields: Mapping[str, Any], changes: Iterable[str] | None = None
) -> dict[str, Any]:
    """One versioned object as ``obj_to_primitive`` gives it; objects read from a database carry no changes."""
    primitive: dict[str, Any] = {
        "nova_object.version": version,
        "nova_object.name": name,
        "nova_object.data": dict(fields),
        "nova_object.namespace": "nova",
    }
    if changes is not None:
        primitive["nova_object.changes"] = sorted(changes)
    return primitive


def flavor(item: Flavor) -> dict[str, Any]:
    """Flavor 1.1, as it was read from ``instance_types``."""
    return nova_object(
        "Flavor",
        "1.1",
        {
            "id": item.id, "name": item.name, "memory_mb": item.memory_mb, "vcpus": item.vcpus, "root_gb": item.root_gb,
            "ephemeral_gb": item.ephemeral_gb, "flavorid": item.flavorid, "swap": item.swap, "rxtx_factor": 1.0,
            "vcpu_weight": 0, "disabled": False, "is_public": item.public, "extra_specs": item.extra_specs,
            "created_at": TODAY.replace(year=2014).strftime(ISO), "updated_at": None, "deleted_at": None, "deleted": False,
        },
    )  # fmt: skip


def instance_flavor(item: Flavor) -> str:
    """``instance_extra.flavor``."""
    return json.dumps({"cur": flavor(item), "old": None, "new": None})


def numa_topology(uuid: str, item: Flavor) -> dict[str, Any]:
    """InstanceNUMATopology 1.2 with the flavor's CPUs spread over two cells."""
    half = item.vcpus // 2
    cells = [
        nova_object(
            "InstanceNUMACell",
            "1.3",
            {
                "id": cell, "cpuset": list(range(cell * half, (cell + 1) * half)), "memory": item.memory_mb // 2,
                "pagesize": None, "cpu_topology": None, "cpu_policy": "dedicated", "cpu_thread_policy": None,
                "cpu_pinning_raw": {str(cpu): cpu + 4 * cell for cpu in range(cell * half, (cell + 1) * half)},
            },
        )
        for cell in (0, 1)
    ]  # fmt: skip
    return nova_object("InstanceNUMATopology", "1.2", {"instance_uuid": uuid, "cells": cells})


def pci_request_fields(request_id: str) -> dict[str, Any]:
    """What ``n1.sriov`` asks for: one VF of the alias niantic."""
    return {
        "count": 1, "spec": [{"vendor_id": "8086", "product_id": "10ed"}], "alias_name": "niantic", "is_new": False,
        "request_id": request_id,
    }  # fmt: skip


def vcpu_model() -> str:
    """``instance_extra.vcpu_model`` of a libvirt guest with host-model."""
    topology = nova_object("VirtCPUTopology", "1.0", {"sockets": 1, "cores": 1, "threads": 1})
    return json.dumps(
        nova_object(
            "VirtCPUModel",
            "1.0",
            {
                "arch": None, "vendor": None, "topology": topology, "features": [], "mode": "host-model", "model": None,
                "match": "exact",
            },
        )
    )  # fmt: skip


def image_meta(image: Image) -> dict[str, Any]:
    """ImageMeta 1.8 as ``from_dict`` made it of glance's answer, every field changed."""
    fields: dict[str, Any] = {
        "id": image.id, "name": image.name, "status": "active", "checksum": "eb9139e4942121f22bbc2afc0400b2a4", "owner": "0" * 32,
        "size": 25165824, "container_format": "bare", "disk_format": "qcow2", "min_ram": image.min_ram, "min_disk": image.min_disk,
        "created_at": "2016-06-01T09:00:00Z", "updated_at": "2016-06-01T09:00:11Z",
        "properties": nova_object("ImageMetaProps", "1.12", _properties(image), _properties(image)),
    }  # fmt: skip
    return nova_object("ImageMeta", "1.8", fields, fields)


def _properties(image: Image) -> dict[str, Any]:
    return {key: value == "yes" if key == "hw_qemu_guest_agent" else value for key, value in image.properties.items()}


def request_spec(
    *,
    uuid: str,
    project: str,
    zone: str,
    item: Flavor,
    image: Image,
    numa: Mapping[str, Any] | None,
    pci: Mapping[str, Any] | None,
    group: Mapping[str, Any] | None,
) -> str:
    """``request_specs.spec``: RequestSpec 1.5 as Mitaka's API created it, that is without ``id``."""
    requests = [] if pci is None else [nova_object("InstancePCIRequest", "1.1", pci, pci)]
    limits = dict.fromkeys(("numa_topology", "vcpu", "disk_gb", "memory_mb"))
    fields: dict[str, Any] = {
        "image": image_meta(image), "numa_topology": numa, "project_id": project, "availability_zone": zone,
        "pci_requests": nova_object("InstancePCIRequests", "1.1", {"requests": requests}, ["requests"]),
        "flavor": flavor(item), "num_instances": 1, "ignore_hosts": None, "force_hosts": None, "force_nodes": None,
        "retry": None, "limits": nova_object("SchedulerLimits", "1.0", limits, limits), "instance_group": group,
        "scheduler_hints": {} if group is None else {"group": [group["nova_object.data"]["uuid"]]}, "instance_uuid": uuid,
    }  # fmt: skip
    return json.dumps(nova_object("RequestSpec", "1.5", fields, fields))


def server_group(number: int, uuid: str, project: str, user: str, policy: str, members: list[str]) -> dict[str, Any]:
    """InstanceGroup 1.10 as it was read from the main database when the instance was booted."""
    return nova_object(
        "InstanceGroup",
        "1.10",
        {
            "id": number, "uuid": uuid, "name": f"group-{number}", "user_id": user, "project_id": project, "policies": [policy],
            "members": members, "created_at": "2015-03-01T12:00:00Z", "updated_at": None, "deleted_at": None, "deleted": False,
        },
    )  # fmt: skip


def network_info(port: str, network: str, mac: str, address: str) -> str:
    """``instance_info_caches.network_info`` of one neutron port."""
    subnet = {
        "ips": [{"meta": {}, "version": 4, "type": "fixed", "floating_ips": [], "address": address}], "version": 4,
        "meta": {"dhcp_server": "10.0.0.2"}, "dns": [], "routes": [], "cidr": "10.0.0.0/8",
        "gateway": {"meta": {}, "version": 4, "type": "gateway", "address": "10.0.0.1"},
    }  # fmt: skip
    vif = {
        "profile": {}, "ovs_interfaceid": port, "preserve_on_delete": False, "devname": f"tap{port[:11]}", "type": "ovs",
        "network": {"bridge": "br-int", "subnets": [subnet], "meta": {"injected": False, "mtu": 1450}, "id": network, "label": "net"},
        "vnic_type": "normal", "qbh_params": None, "meta": {}, "details": {"port_filter": True, "ovs_hybrid_plug": True},
        "address": mac, "active": True, "id": port, "qbg_params": None,
    }  # fmt: skip
    return json.dumps([vif])
