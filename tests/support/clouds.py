"""Pillar of small clouds, as reclass would render it."""

from __future__ import annotations

import copy
from typing import Any

from upgrader.plan.step import Facts

DATABASES = [f"dbs0{number}.lab.local" for number in (1, 2, 3)]
NODES = {"backup": ["cfg01.lab.local"], "database": DATABASES, "upgrade": ["upg01.lab.local"]}


SERVER = {
    "keystone": "server",
    "glance": "server",
    "neutron": "server",
    "heat": "server",
    "nova": "controller",
    "cinder": "controller",
}
UPG = "upg01.lab.local"


def _users(service: str, *names: str) -> dict[str, Any]:
    account = {"name": f"{service}_upgrade", "password": f"secret-{service}", "host": "%"}
    return {name: {"users": [account]} for name in names or (f"{service}_upgrade",)}


def _role(service: str, **own: Any) -> dict[str, Any]:
    """What every service of the upgrade node has, and its own keys."""
    common = {
        "version": "ocata",
        "database": {
            "host": "vip01.lab.local", "name": f"{service}_upgrade", "user": f"{service}_upgrade", "password": f"secret-{service}",
        },
        "message_queue": {"host": UPG, "user": "openstack", "password": "secret-queue"},
        "cache": {"members": [{"host": "10.20.0.12", "port": 11211}]},
        "identity": {
            "host": UPG, "port": 35357, "region": "RegionOne", "tenant": "service", "user": "upgrader", "password": "secret-copy",
        },
    }  # fmt: skip
    return {service: {SERVER[service]: {**common, **own}}}


def upgrade_node() -> dict[str, Any]:
    """Pillar of the node that holds the copy."""
    bind, account = {"address": "10.20.0.12"}, {"user": "upgrader", "password": "secret-copy", "tenant": "service"}
    here = {"host": UPG, "port": 9292}
    return {
        **_role(
            "keystone",
            region="RegionOne",
            admin_name="upgrader",
            admin_password="secret-copy",
            bind={
                "public_address": "10.20.0.12",
                "public_port": 5000,
                "private_address": "10.20.0.12",
                "private_port": 35357,
            },
            tokens={"engine": "fernet", "location": "/var/lib/keystone/fernet-keys"},
            credential={"location": "/var/lib/keystone/credential-keys"},
        ),
        **_role("glance", bind={**bind, "port": 9292}, storage={"engine": "file"}),
        **_role(
            "nova",
            bind={**bind, "port": 8774},
            placement={"bind": {**bind, "port": 8778}},
            glance=here,
            network={**account, "host": UPG, "port": 9696, "region": "RegionOne"},
            upgrade_levels={"compute": "mitaka"},
        ),
        **_role("cinder", bind={**bind, "port": 8776}, glance=here),
        **_role(
            "neutron",
            bind={**bind, "port": 9696},
            plugin="ml2",
            backend={"engine": "ml2"},
            compute={**account, "host": UPG, "region": "RegionOne"},
        ),
        **_role(
            "heat",
            bind={"api": {**bind, "port": 8004}, "api_cfn": {**bind, "port": 8000}},
            auth_encryption_key="secret-heat-key",
            stack_domain_admin={"name": "heat_domain_admin", "password": "secret-domain", "domain": "heat"},
        ),
    }


LAB: dict[str, dict[str, Any]] = {
    "cfg01.lab.local": {
        "upgrader": {
            "cloud": "lab",
            "release": {"source": "mitaka", "target": "ocata"},
            "nodes": NODES,
            "databases": {
                "admin": {"host": "dbs01.lab.local", "port": 3306, "user": "upgrader", "password": "secret-admin"},
                "clones": {
                    **_users("nova", "nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0"),
                    **{n: u for s in SERVER if s != "nova" for n, u in _users(s).items()},
                },
            },
            "backup": {"server": {"backup_dir": "/srv/backup/upgrader", "key": {"dbs01": {"key": "ssh-ed25519 AAAA"}}}},
        },
    },
    **{
        node: {
            "upgrader": {
                "backup": {
                    "client": {
                        "target": {
                            "host": "cfg01.lab.local",
                            "host_key": "ssh-ed25519 BBBB",
                            "private_key": "secret-key",
                        }
                    }
                }
            }
        }
        for node in DATABASES
    },
    UPG: upgrade_node(),
}


def lab_pillar() -> dict[str, dict[str, Any]]:
    """A fresh copy that a test may break."""
    return copy.deepcopy(LAB)


KVM, CTL = "kvm01.lab.local", "ctl01.lab.local"
MACHINES = {
    "kind": "lxc",
    "folder": "/srv/vm",
    "disk": "system.img",
    "format": "raw",
    "bridges": ["br0"],
    "size": 6000,
    "images": {"ocata": {"path": "/srv/images/ocata.img", "sha256": "a" * 64}},
    "salts": [{"folder": "/etc/salt", "master": "cfg01.lab.local"}],
    "nodes": {CTL: {"files": {"/etc/lab-address": "10.20.0.11/24"}}},
}


def foundation_node(*hosts: str) -> dict[str, Any]:
    """Pillar of the node that runs these machines, in MCP's keys and ours."""
    nodes = {host: {"name": host, "provider": KVM, "image": "ocata", "size": "openstack.control"} for host in hosts}
    control = {
        "size": {"openstack.control": {"cpu": 2, "ram": 2048}},
        "cluster": {"internal": {"domain": "lab.local", "engine": "virt", "node": nodes}},
    }
    return {"salt": {"control": control}, "upgrader": {"machines": copy.deepcopy(MACHINES)}}


def controller() -> dict[str, Any]:
    """Pillar of a controller as the target release wants it, on production's own databases."""
    pillar = upgrade_node()
    for service, role in SERVER.items():
        pillar[service][role]["database"] |= {"name": service, "user": service}
    return {**pillar, "upgrader": {"production": True}}


def real_pillar() -> dict[str, dict[str, Any]]:
    """A cloud whose model says all that the real upgrade needs: one controller on one foundation node, a queue, a compute."""
    pillar = lab_pillar()
    own = pillar["cfg01.lab.local"]["upgrader"]
    own["nodes"] |= {
        "kvm": [KVM],
        "control": [CTL],
        "message_queue": ["msg01.lab.local"],
        "compute": ["cmp001.lab.local"],
    }
    own["watched"] = {"nova": "http://vip01.lab.local:8774/"}
    return {**pillar, KVM: foundation_node("ctl01"), CTL: controller()}


FACTS = Facts(modules="f" * 64, formulas="f" * 64, pillar="f" * 64, files={"nova/running.sls": "f" * 12})
"""What a plan of a test is bound to, where it does not matter."""
