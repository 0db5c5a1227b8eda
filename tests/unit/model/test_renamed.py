"""Keys of ours that had a site's names: whoever still has one hears the old name, the new one and the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.clouds import lab_pillar
from tests.support.models import inventory, mcp
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.cloud.renamed import OLD_NAMES, old_name
from upgrader.errors import Refused
from upgrader.reclass.survey import survey

CFG, DBS = "cfg01.lab.local", "dbs01.lab.local"
TARGET = {"host": "cfg01", "host_key": "k", "private_key": "S3CRET"}


def test_plan_is_refused_with_both_names() -> None:
    pillar = lab_pillar()
    pillar[DBS] = {"xtrabackup": {"client": {"target": pillar[DBS]["upgrader"]["backup"]["client"]["target"]}}}
    with pytest.raises(Refused) as refused:
        cloud_from_pillar(pillar, CFG)
    told = f"what stands under xtrabackup:client, its old name, belongs under {'upgrader:backup:client'}"
    assert f"{DBS} lacks pillar key upgrader:backup:client:target:host" in str(refused.value)
    assert told in str(refused.value) and "upgrader model check" in str(refused.value)
    assert "secret-key" not in str(refused.value)


def test_new_name_beside_the_sites_own_key_is_nobodys_fault() -> None:
    pillar = lab_pillar()
    pillar[CFG]["xtrabackup"] = {"server": {"enabled": True, "hours": 6}}
    cloud_from_pillar(pillar, CFG)


@pytest.mark.parametrize(("new", "old"), OLD_NAMES.items())
def test_each_old_name_is_found_where_it_has_a_value(new: str, old: str) -> None:
    held: dict[str, object] = {"x": 1}
    for part in reversed(old.split(":")):
        held = {part: held}
    assert old_name(held, f"{new}:x") == old_name(held, new) == (new, old)
    assert old_name({}, new) == ("", "") and old_name(held, f"{new}s") == ("", "")


def test_model_check_names_the_file_that_has_the_old_key(tmp_path: Path) -> None:
    root = mcp(tmp_path, defined=True, only=("cfg01", "dbs01"))
    file = root / "classes/cluster/mcp/openstack/database_init.yml"
    held = yaml.safe_load(file.read_text()) or {}
    held.setdefault("parameters", {})["xtrabackup"] = {"client": {"target": TARGET}}
    file.write_text(yaml.safe_dump(held))
    found = [one for one in survey(inventory(root)).findings if "is called" in one.what]
    assert [(one.file, one.name) for one in found] == [(str(file), "upgrader:backup:client")]
    assert "xtrabackup:client is called upgrader:backup:client now" in found[0].what and "S3CRET" not in str(found)
    assert found[0].nodes == ("dbs01.mcp.local",) and "move what is this tool's" in found[0].remedy
