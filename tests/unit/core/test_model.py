"""A wrong model is refused at once, with the node, the key and what belongs there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clouds import lab_pillar
from upgrader.errors import Refused
from upgrader.model.cloud import REQUIRED, cloud_from_pillar

CFG, DBS, UPG = "cfg01.lab.local", "dbs01.lab.local", "upg01.lab.local"
NODE_OF = {"backup": CFG, "database": DBS, "upgrade": UPG}


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
    remove(pillar[DBS], "xtrabackup:client:target:host")
    with pytest.raises(
        Refused, match=r"xtrabackup:client:target:host.*nova:controller:database:host|nova:controller.*xtrabackup"
    ):
        cloud_from_pillar(pillar, CFG)


def change(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def changed(pillars: dict[str, Any]) -> None:
        pillar = pillars[UPG if key.startswith("nova") else CFG]
        *parents, last = key.split(":")
        for part in parents:
            pillar = pillar[part]
        pillar[last] = value

    return changed


@pytest.mark.parametrize(
    ("breakage", "complaint"),
    [
        (change("upgrader", {}), "has no key 'upgrader'"),
        (change("upgrader:cloud", "../etc"), "upgrader:cloud"),
        (change("upgrader:nodes:backup", "cfg01"), "must be a list of minion ids"),
        (change("upgrader:nodes:upgrade", []), "upgrader:nodes:upgrade"),
        (change("upgrader:release:target", "queens"), "no such release path is known; known: mitaka to ocata"),
        (change("nova:controller:database:name", "nova"), "a rehearsal works on clones only"),
    ],
)
def test_wrong_value_is_refused_with_its_remedy(breakage: Callable[[dict[str, Any]], None], complaint: str) -> None:
    pillar = lab_pillar()
    breakage(pillar)
    with pytest.raises(Refused, match=complaint):
        cloud_from_pillar(pillar, CFG)
