"""The part of the model that follows from the topology: machines for the foundation node, roles for the master, accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.node_files import hosts
from upgrader.lab.control.domain import BRIDGE, CPUS, DISK, FOLDER, MEMORY
from upgrader.lab.image.disks import BaseImage
from upgrader.lab.mitaka import identity
from upgrader.lab.topology import DOMAIN, PREFIX, NodePlan, Topology

MODELS = Path(__file__).resolve().parents[1] / "model"
IMAGE, SIZE = "ocata", "openstack.control"
IMAGE_ON_A_NODE = f"/srv/images/{IMAGE}.img"
# What a controller's disk holds beyond its base image: logs, caches, images.
ROOM = 1000
# Mitaka's APIs, behind the virtual address; placement is Ocata's only.
PORTS = {"keystone": 5000, "glance": 9292, "nova": 8774, "cinder": 8776, "neutron": 9696, "heat": 8004}
PLACE = f"vip01.{DOMAIN}"
WATCHED = {name: f"http://{PLACE}:{port}/" for name, port in PORTS.items()}
CACHE = 11211
CACHED = {
    "keystone": "server", "glance": "server", "nova": "controller", "cinder": "controller", "neutron": "server", "heat": "server",
}  # fmt: skip
ACCOUNTS = ("glance", "nova", "cinder", "neutron", "heat")


def folders(topology: Topology) -> list[Path]:
    """Where the lab's model lies; of a file that two have, the last one's is taken."""
    return [MODELS, *(MODELS / name for name in topology.models)]


def files(topology: Topology, base: BaseImage | None) -> dict[str, NodeFile]:
    """Path below the model's root -> file; nothing where there are no machines."""
    if base is None:
        return {}
    held: dict[str, Any] = {
        "classes/cluster/lab/machines.yml": {"parameters": _machines(topology, base)},
        "classes/cluster/lab/roles.yml": {"parameters": {"upgrader": {"nodes": _roles(topology), "watched": WATCHED}}},
        "classes/cluster/lab/accounts.yml": {"parameters": {"_param": _accounts()}},
    }
    for machine in topology.machines:
        own = {"_param": {"single_address": machine.address}, **_caches(topology)}
        held[f"nodes/{machine.minion_id}.yml"] = {"classes": ["cluster.lab.controller"], "parameters": own}
    for plan in topology.wired:
        own = {"_param": {"single_address": plan.address, "tunnel_address": plan.tunnel_address}}
        held[f"nodes/{plan.minion_id}.yml"] = {"classes": [f"cluster.lab.{plan.layer}"], "parameters": own}
    return {path: NodeFile(json.dumps(values, indent=2) + "\n", 0o600) for path, values in held.items()}


def _caches(topology: Topology) -> dict[str, Any]:
    """Every controller knows the caches of all: keystone would else serve what another one has deleted."""
    members = [{"host": machine.address, "port": CACHE} for machine in topology.machines]
    return {service: {role: {"cache": {"~members": members}}} for service, role in CACHED.items()}


def _machines(topology: Topology, base: BaseImage) -> dict[str, Any]:
    """MCP's keys, and ours for what those do not say. Sizes in MB, as the disk's own is."""
    nodes = {
        plan.name: {"name": plan.name, "provider": f"{plan.on}.{DOMAIN}", "image": IMAGE, "size": SIZE}
        for plan in topology.machines
    }
    assert topology.master is not None
    return {
        "salt": {
            "control": {
                "size": {SIZE: {"cpu": CPUS, "ram": MEMORY}},
                "cluster": {"internal": {"domain": DOMAIN, "engine": "virt", "node": nodes}},
            }
        },
        "upgrader": {
            "machines": {
                "kind": "lxc",
                "folder": FOLDER,
                "disk": DISK,
                "format": "raw",
                "bridges": [BRIDGE],
                "size": base.path.stat().st_size // 1024 // 1024 + ROOM,
                "images": {IMAGE: {"path": IMAGE_ON_A_NODE, "sha256": base.sha256}},
                "salts": [{"folder": "/etc/salt", "master": topology.master.minion_id}],
                "nodes": {plan.minion_id: {"files": _texts(plan, topology)} for plan in topology.machines},
            }
        },
    }


def _texts(plan: NodePlan, topology: Topology) -> dict[str, str]:
    return {"/etc/hosts": hosts(topology), "/etc/lab-address": f"{plan.address}/{PREFIX}\n"}


def _roles(topology: Topology) -> Mapping[str, list[str]]:
    named = {"kvm": "kvm", "message_queue": "msg", "compute": "cmp", "gateway": "gtw"}
    held = {
        role: [plan.minion_id for plan in topology.minions if plan.name.startswith(name)]
        for role, name in named.items()
    }
    held = {role: ids for role, ids in held.items() if ids}
    return {**held, "control": [plan.minion_id for plan in topology.machines]}


def _accounts() -> dict[str, str]:
    """Those of the generated cloud's keystone."""
    held = {f"keystone_{name}_password": identity.PASSWORD for name in ACCOUNTS}
    return {**held, "keystone_admin_password": identity.PASSWORD}
