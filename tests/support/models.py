"""Copies of the MCP-like model in tests/models, with the tool's classes linked in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from upgrader.content import RECLASS_CLASSES
from upgrader.reclass.finding import Survey
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import place_at
from upgrader.reclass.survey import survey

MODELS = Path(__file__).parents[1] / "models"
MCP = MODELS / "mcp"
Model = Callable[[str], Path]
"""From the name of one of tests/models to a copy of it."""

# What `model check` asks for in this model; values are found again by name.
PARAMETERS = (
    "heat_auth_encryption_key",
    "heat_domain_admin_password",
    "horizon_secret_key",
    "keystone_cinder_password",
    "keystone_glance_password",
    "keystone_upgrade_password",
    "mysql_cinder_upgrade_password",
    "mysql_glance_upgrade_password",
    "mysql_heat_upgrade_password",
    "mysql_keystone_upgrade_password",
    "mysql_neutron_upgrade_password",
    "mysql_nova_upgrade_password",
    "mysql_upgrade_admin_password",
    "mysql_upgrade_admin_user",
    "mysql_upgrade_host",
    "openstack_upgrade_node01_address",
    "openstack_upgrade_node01_hostname",
    "rabbitmq_admin_password",
    "rabbitmq_secret_key",
    "upgrader_backup_node",
    "upgrader_database_node01",
    "upgrader_database_node02",
    "upgrader_database_node03",
    "upgrader_machine_image",
    "upgrader_machine_image_sha256",
    "upgrader_machine_master",
    "upgrader_upgrade_node",
    "xtrabackup_client_private_key",
    "xtrabackup_client_public_key",
    "xtrabackup_server_host_key",
)


def mcp(folder: Path, linked: bool = True, defined: bool = False, only: tuple[str, ...] = ()) -> Path:
    """The model, copied; ``defined`` adds the parameters that it lacks to the class that all nodes have.

    ``only`` keeps these nodes: rendering is what a test's time goes into.
    """
    root = folder / "model"
    shutil.copytree(MCP, root)
    for path in (root / "nodes").rglob("*.yml"):
        if only and path.name.split(".")[0] not in only:
            path.unlink()
    if linked:
        (root / "classes" / "ocata").symlink_to(RECLASS_CLASSES)
    if defined:
        values = {
            **{name: f"value-of-{name}" for name in PARAMETERS},
            "upgrader_backup_node": "cfg01.mcp.local",
            "upgrader_upgrade_node": "upg01.mcp.local",
            "openstack_upgrade_node01_hostname": "upg01",
            **{f"upgrader_database_node0{n}": f"dbs0{n}.mcp.local" for n in (1, 2, 3)},
        }
        with (root / "classes/cluster/mcp/init.yml").open("a") as file:
            file.writelines(f"    {name}: {value}\n" for name, value in values.items())
    return root


def inventory(root: Path) -> Inventory:
    return Inventory(place_at(root))


def of(root: Path, master: str = "") -> Survey:
    """What is found in a model; ``master`` is this machine's minion id."""
    return survey(Inventory(replace(place_at(root), master=master)))
