"""The lab's database cluster: which members `lab up` starts again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upgrader.lab.contents import galera


@pytest.mark.parametrize(
    "state, stands_still",
    [("intended", True), ("kept", True), ("founding", False), ("back", False), ("rejoining", False)],
)
def test_a_member_that_a_run_keeps_is_not_started_with_the_lab(tmp_path: Path, state: str, stands_still: bool) -> None:
    folder = tmp_path / "var/lib"
    folder.mkdir(parents=True)
    (folder / "mysql.kept-20261129-1.json").write_text(json.dumps({"state": state}))
    assert galera.is_kept(tmp_path) is stands_still


def test_a_member_that_nobody_keeps_is_started_with_the_lab(tmp_path: Path) -> None:
    assert not galera.is_kept(tmp_path)
