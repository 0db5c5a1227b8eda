"""One hash over our modules, the same from a checkout, from hashes of its files and on a node; what Python compiled is not counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from upgrader_node.host import sources

from upgrader.content import FORMULAS


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A minion's folder of extension modules, with what Python leaves there."""
    for kind in sources.FOLDERS:
        shutil.copytree(FORMULAS / f"_{kind}", tmp_path / kind, ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / kind / "__pycache__").mkdir()
        (tmp_path / kind / "__pycache__" / "upgrader_made.py").touch()
        (tmp_path / kind / "upgrader_made.pyc").touch()
        (tmp_path / kind / "another_tools.py").touch()
    return tmp_path


def test_node_has_the_hash_of_the_checkout(node: Path) -> None:
    assert sources.digest(str(node)) == sources.digest(str(FORMULAS))


def test_files_that_were_hashed_already_give_the_same_hash() -> None:
    assert sources.digest_of(sources.files(str(FORMULAS))) == sources.digest(str(FORMULAS))


@pytest.mark.parametrize("name", ["modules/upgrader_node.py", "utils/upgrader_node/host/sources.py"])
def test_changed_source_gives_another_hash(node: Path, name: str) -> None:
    (node / name).write_text("other")
    assert sources.digest(str(node)) != sources.digest(str(FORMULAS))


def test_files_have_the_names_that_salt_serves_them_by(node: Path) -> None:
    names = set(sources.files(str(node)))
    assert {"modules/upgrader_node.py", "utils/upgrader_node/host/sources.py"} <= names
    assert [name for name in names if "upgrader_made" in name] == []
