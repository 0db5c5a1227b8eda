"""Which class of ours every kind of node needs, and how one sees in a rendered model that it is there. Data only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import required

MASTER, BACKUP, DATABASE, UPGRADE = "master", "backup", "database", "upgrade"
CONTROL, COMPUTE, KVM, IDENTITY, STORAGE = "control", "compute", "kvm", "identity", "storage"
REHEARSAL, REAL = "test-upgrade", "real-upgrade"
ANCHOR = "upgrader.cloud"
"""The class by which one sees under which name, and whether at all, our classes are reachable."""
SINGLE = "openstack.upgrade.single"
SERVICES = ("keystone", "glance", "nova", "cinder", "neutron", "heat")
CLONES = ("keystone", "glance", "nova", "nova_api", "nova_cell0", "cinder", "neutron", "heat")

BESIDE = ("glare", "horizon", "upgrader")
"""Databases that may stand beside those which are copied."""


@dataclass(frozen=True)
class Need:
    """A class, the nodes it is for, and the pillar keys that prove it; without keys only the class itself proves it."""

    role: str
    name: str
    stage: str
    keys: tuple[str, ...] = ()

    def absent(self, pillar: Mapping[str, Any], classes: tuple[str, ...], prefix: str) -> tuple[str, ...]:
        """The keys that are missing; the class's own name where only that proves it."""
        if not self.keys:
            return () if prefix + self.name in classes else (prefix + self.name,)
        return tuple(key for key in self.keys if host_pillar.value(pillar, key) in (None, "", {}, []))


def clone_name(name: str) -> str:
    service, _, rest = name.partition("_")
    return f"{service}_upgrade{'_' + rest if rest else ''}"


_CLONES = "upgrader:databases:clones"
_ENDPOINT = "keystone:client:server:identity:service"
_VMS = "salt:control:cluster:internal:node"

NEEDS = (
    Need(MASTER, ANCHOR, REHEARSAL, ("upgrader:cloud", "upgrader:release", "upgrader:nodes")),
    Need(
        STORAGE,
        "reclass.storage.system.openstack_control_upgrade_single",
        REHEARSAL,
        ("reclass:storage:node:openstack_control_upgrade_node01",),
    ),
    Need(
        BACKUP,
        "xtrabackup.server.upgrade",
        REHEARSAL,
        ("upgrader:backup:server:backup_dir", "upgrader:backup:server:key"),
    ),
    Need(
        BACKUP,
        "mysql.client.database_upgrade",
        REHEARSAL,
        ("upgrader:databases:admin:host", *(f"{_CLONES}:{clone_name(name)}" for name in CLONES)),
    ),
    Need(
        DATABASE,
        "xtrabackup.client.upgrade",
        REHEARSAL,
        tuple(f"upgrader:backup:client:target:{key}" for key in ("host", "host_key", "private_key")),
    ),
    Need(UPGRADE, SINGLE, REHEARSAL, tuple(f"{role}:enabled" for role in required.UPGRADE_NODE)),
    Need(
        KVM,
        "salt.control.cluster.openstack_upgrade_single",
        REHEARSAL,
        (f"{_VMS}:upg01:provider", f"{_VMS}:upg01:image", f"{_VMS}:upg01:size"),
    ),
    Need(DATABASE, "galera.server.database.nova_cell0", REAL, ("mysql:server:database:nova_cell0",)),
    Need(CONTROL, "haproxy.proxy.listen.openstack.glare", REAL, ("haproxy:proxy:listen:glare",)),
    Need(CONTROL, "haproxy.proxy.listen.openstack.nova-placement", REAL, ("haproxy:proxy:listen:nova_placement_api",)),
    Need(CONTROL, "nova.control.upgrade_levels", REAL, ("nova:controller:upgrade_levels:compute",)),
    Need(COMPUTE, "nova.compute.upgrade_levels", REAL, ("nova:compute:upgrade_levels:compute",)),
    Need(IDENTITY, "keystone.client.service.nova-placement", REAL, (f"{_ENDPOINT}:placement",)),
    Need(IDENTITY, "keystone.client.service.glare", REAL, (f"{_ENDPOINT}:glare",)),
    Need(IDENTITY, "keystone.client.service.cinder3", REAL, (f"{_ENDPOINT}:cinderv3",)),
    Need(IDENTITY, "keystone.client.service.keystone3", REAL),
    Need(CONTROL, "upgrader.production", REAL, ("upgrader:production",)),
    Need(KVM, "upgrader.machines", REAL, ("upgrader:machines:images", "upgrader:machines:salts")),
    Need(KVM, "salt.control.cluster.openstack_control_xenial", REAL),
    Need(KVM, "salt.control.cluster.openstack_proxy_xenial", REAL),
)

LISTED = "upgrader.cloud_listed"
"""Instead of ``ANCHOR`` where the cloud has not three database nodes."""


def needs_of(held: Mapping[str, tuple[str, ...]], left: Collection[str] = ()) -> tuple[Need, ...]:
    """All needs, as this cloud has them. ``left``: roles (``neutron:server``) that its upgrade leaves out."""
    services = {role.partition(":")[0] for role in left}
    spared = {f"{role}:enabled" for role in left} | {f"{_CLONES}:{clone_name(one)}" for one in services}
    wanted = tuple(replace(one, keys=tuple(key for key in one.keys if key not in spared)) for one in NEEDS)
    if len(held[DATABASE]) in (0, 3):
        return wanted
    return tuple(replace(need, name=LISTED) if need.name == ANCHOR else need for need in wanted)


EXAMPLES: Mapping[str, str] = {
    "cluster_name": "the name of the cloud",
    "cluster_domain": "the domain of the nodes",
    "openstack_region": "RegionOne",
    "single_address": "the node's own address",
    "upgrader_machine_image": "where the image of Ubuntu 16.04 is on the KVM nodes, e.g. /srv/images/xenial.qcow2",
    "upgrader_machine_image_sha256": "its sha256, 64 digits",
    "upgrader_machine_master": "the name by which a new machine finds the Salt master",
    "mysql_upgrade_host": "the address at which clients find the database cluster",
    "mysql_host": "the address at which clients find the database cluster",
    "mysql_upgrade_admin_user": "an account that may create databases and grant",
    "heat_auth_encryption_key": "what production's heat.conf says; where it says nothing, heat's own default "
    "(formulas/upgrader/openstack/files/options/heat.json), or no stack can be read",
    "salt_control_xenial_image": "the URL of the Ubuntu 16.04 image",
    "xtrabackup_client_private_key": "an ssh key made for this, private part",
    "xtrabackup_client_public_key": "an ssh key made for this, public part",
    "xtrabackup_server_host_key": "the backup node's ssh host key",
    "cluster_public_protocol": "https",
    "cluster_local_address": "the node's own address",
    "rabbitmq_secret_key": "a long random text",
    "horizon_secret_key": "a long random text",
    "upgrader_database_nodes": "the list of the database nodes' minion ids",
    "openstack_upgrade_node01_hostname": "upg01",
    "openstack_upgrade_node01_address": "the upgrade node's address",
}
"""What belongs into a parameter of our classes; a name that ends in _password needs no explanation."""


PROOF: Mapping[str, str] = {
    CONTROL: "pillar nova:controller, outside the upgrade node",
    COMPUTE: "pillar nova:compute",
    KVM: "pillar salt:control",
    IDENTITY: "pillar keystone:client:server",
}
"""By what a role is recognised; said when nobody holds it."""


def example(name: str, roles: Mapping[str, tuple[str, ...]]) -> str:
    """What to write for ``_param:name``; node names are taken from the model where it knows them."""
    known = {"upgrader_backup_node": roles.get(BACKUP), "upgrader_upgrade_node": roles.get(UPGRADE)}
    known["upgrader_database_nodes"] = (f"[{', '.join(roles.get(DATABASE, ()))}]",)
    known |= {f"upgrader_database_node{n:02}": roles.get(DATABASE, ())[n - 1 : n] for n in range(1, 10)}
    nodes = known.get(name)
    if nodes:
        return nodes[0]
    return EXAMPLES.get(name, "a password" if name.endswith("_password") else "its value")


def roles(pillars: Mapping[str, Mapping[str, Any]], master: str) -> dict[str, tuple[str, ...]]:
    """Which nodes of one cloud hold which role, from pillar alone. ``upgrader:nodes`` of the master decides where it says something."""

    def having(*keys: str) -> tuple[str, ...]:
        return tuple(sorted(n for n, pillar in pillars.items() if any(host_pillar.value(pillar, key) for key in keys)))

    masters = (master,) if master in pillars else ()
    said = host_pillar.value(pillars[masters[0]], "upgrader:nodes", {}) if masters else {}
    said = said if isinstance(said, dict) else {}

    def told(role: str) -> tuple[str, ...]:
        listed = said.get(role)
        return (
            tuple(node for node in listed if isinstance(node, str) and node in pillars)
            if isinstance(listed, list)
            else ()
        )

    upgrade = told(UPGRADE) or tuple(sorted(n for n in pillars if n.startswith("upg") or _on_clones(pillars[n])))
    return {
        MASTER: masters[:1],
        STORAGE: tuple(node for node in masters[:1] if host_pillar.value(pillars[node], "reclass:storage")),
        BACKUP: told(BACKUP)
        or having("upgrader:backup:server", "xtrabackup:server", "backupninja:server")[:1]
        or masters[:1],
        DATABASE: told(DATABASE) or having("galera:master", "galera:slave") or having("mysql:server"),
        UPGRADE: upgrade,
        CONTROL: tuple(node for node in having("nova:controller") if node not in upgrade),
        COMPUTE: having("nova:compute"),
        KVM: having("salt:control"),
        IDENTITY: having("keystone:client:server"),
    }


def _on_clones(pillar: Mapping[str, Any]) -> bool:
    names = (host_pillar.value(pillar, f"{role}:database:name") for role in required.REQUIRED)
    return any(str(name).endswith("_upgrade") for name in names)
