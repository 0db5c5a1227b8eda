"""A wrong model is refused at once, with the node, the key and what belongs there."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clouds import lab_pillar
from upgrader.cloud.cloud import CONTROL, DATABASE, REQUIRED, UPGRADE, cloud_from_pillar, require_clones
from upgrader.cloud.roles import ROLES
from upgrader.errors import Refused

CFG, DBS, UPG = "cfg01.lab.local", "dbs01.lab.local", "upg01.lab.local"
NODE_OF = {"backup": CFG, "dbs": DBS, "upg": UPG}


def remove(pillar: dict[str, Any], key: str) -> None:
    *parents, last = key.split(":")
    for part in parents:
        pillar = pillar[part]
    del pillar[last]


def test_cloud_knows_sources_and_clones() -> None:
    cloud = cloud_from_pillar(lab_pillar(), CFG)
    assert cloud.service("nova").clones == (("nova", "nova_upgrade"), ("nova_api", "nova_upgrade_api"))
    assert cloud.service("nova").upgrade_databases == ("nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0")
    assert cloud.all_nodes == (CFG, DBS, "dbs02.lab.local", "dbs03.lab.local", UPG)


@pytest.mark.parametrize("required", REQUIRED, ids=lambda r: r.key)
def test_each_missing_key_is_named_with_its_node(required: Any) -> None:
    pillar = lab_pillar()
    remove(pillar[NODE_OF[required.role]], required.key)
    with pytest.raises(Refused, match=f"{NODE_OF[required.role]} lacks pillar key {required.key} "):
        cloud_from_pillar(pillar, CFG)


def test_all_missing_keys_are_named_at_once() -> None:
    pillar = lab_pillar()
    remove(pillar[UPG], "nova:controller:database:host")
    remove(pillar[DBS], "upgrader:backup:client:target:host")
    with pytest.raises(
        Refused,
        match=r"upgrader:backup:client:target:host.*nova:controller:database:host|nova:controller.*upgrader:backup",
    ):
        cloud_from_pillar(pillar, CFG)


def change(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def changed(pillars: dict[str, Any]) -> None:
        pillar = pillars[UPG if key.startswith("nova") else CFG]
        *parents, last = key.split(":")
        for part in parents:
            pillar = pillar[part]
        pillar[last] = copy.deepcopy(value)

    return changed


@pytest.mark.parametrize(
    ("breakage", "complaint"),
    [
        (change("upgrader", {}), "has none of the keys upgrader:cloud"),
        (change("upgrader:cloud", "../etc"), "upgrader:cloud"),
        (change("upgrader:nodes:backup", "cfg01"), "must be a list of minion ids"),
        (change("upgrader:nodes:upgrade", []), "upgrader:nodes:upgrade"),
        (change("upgrader:release:target", "queens"), "no such release path is known; known: mitaka to ocata"),
        (change("upgrader:nodes:databse", [DBS]), "unknown role 'databse': is database meant"),
        (change("upgrader:nodes:zebra", [DBS]), "unknown role 'zebra': Known are master, backup, database, kvm"),
        (change("upgrader:nodes:dbs", [DBS]), "role database twice, also as dbs"),
        (change("upgrader:nodes:database", [DBS, DBS]), "lists a node twice"),
        (change("upgrader:nodes:master", [CFG, DBS]), "lists 2 nodes: there can be no more than 1"),
        (change("upgrader:nodes", ["cfg01"]), "must map roles to lists of minion ids"),
    ],
)
def test_wrong_value_is_refused_with_its_remedy(breakage: Callable[[dict[str, Any]], None], complaint: str) -> None:
    pillar = lab_pillar()
    breakage(pillar)
    with pytest.raises(Refused, match=complaint):
        cloud_from_pillar(pillar, CFG)


def test_model_whose_switch_selects_production_is_a_cloud_but_nothing_to_rehearse_on() -> None:
    pillar = lab_pillar()
    pillar[UPG]["nova"]["controller"]["database"]["name"] = "nova"
    pillar[UPG]["heat"]["server"]["database"]["name"] = "heat"
    cloud = cloud_from_pillar(pillar, CFG)
    assert cloud.service("nova").source_databases == ("nova", "nova_api")
    assert cloud.service("nova").clones == ()
    with pytest.raises(
        Refused,
        match=r"works on clones only: .*nova:controller:database:name .* 'nova_upgrade'; .*heat:server.* 'heat_upgrade'",
    ):
        require_clones(cloud)


def test_every_role_of_the_table_is_known_by_its_key_and_by_its_short_name() -> None:
    for keys in ([role.key for role in ROLES], [role.name for role in ROLES]):
        pillar = lab_pillar()
        given = pillar[CFG]["upgrader"]["nodes"]
        nodes = {"backup": [CFG], "database": given["database"], "upgrade": [UPG]}
        nodes |= {"dbs": nodes["database"], "upg": nodes["upgrade"]}
        pillar[CFG]["upgrader"]["nodes"] = {key: nodes.get(key, [f"{key}01.lab.local"]) for key in keys}
        cloud = cloud_from_pillar(pillar, CFG)
        assert list(cloud.nodes) == [role.name for role in ROLES]
        assert cloud.role(UPGRADE) == (UPG,)


def test_order_of_the_database_nodes_is_the_models() -> None:
    """The first one founds the cluster after a restore."""
    pillar = lab_pillar()
    pillar[CFG]["upgrader"]["nodes"]["database"].reverse()
    assert cloud_from_pillar(pillar, CFG).role(DATABASE)[0] == "dbs03.lab.local"


def test_nobody_can_change_a_cloud() -> None:
    cloud = cloud_from_pillar(lab_pillar(), CFG)
    with pytest.raises(TypeError):
        cloud.nodes[DATABASE] = ()  # type: ignore[index]
    for thing in (cloud, cloud.members[0], cloud.services[0], ROLES[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, dataclasses.fields(thing)[0].name, "other")


def test_member_has_all_its_roles() -> None:
    pillar = lab_pillar()
    pillar[CFG]["upgrader"]["nodes"]["control"] = [DBS]
    member = next(member for member in cloud_from_pillar(pillar, CFG).members if member.id == DBS)
    assert (member.host, member.roles) == ("dbs01", (DATABASE, CONTROL))
