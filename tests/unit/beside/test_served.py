"""Formulas where a master serves them from: whole, of one version, and never in place of somebody's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from upgrader.beside import served
from upgrader.cli.main import cli
from upgrader.content import FORMULAS
from upgrader.errors import Refused, UpgradeError


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != served.MARK
    }


def run(to: Path, config: Path) -> str:
    ran = CliRunner().invoke(
        cli, ["--salt-config", str(config), "install-formulas", "--to", str(to)], catch_exceptions=False
    )
    return ran.stdout


def test_what_lies_there_is_what_is_shipped_and_a_second_call_changes_nothing(tmp_path: Path) -> None:
    to = tmp_path / "srv" / "upgrader"
    assert served.install(to, "1") is True
    assert content(to) == content(FORMULAS)
    before = to.stat().st_ino
    assert served.install(to, "1") is False
    assert to.stat().st_ino == before
    assert [path.name for path in to.parent.iterdir()] == ["upgrader"]


def test_older_version_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = tmp_path / "older"
    (older / "upgrader").mkdir(parents=True)
    (older / "upgrader" / "gone.sls").write_text("{}\n")
    to = tmp_path / "to"
    with monkeypatch.context() as then:
        then.setattr(served, "FORMULAS", older)
        served.install(to, "0")
    served.install(to, "1")
    assert content(to) == content(FORMULAS)


@pytest.mark.parametrize("cut", ["rename", "rmtree", "copytree"])
def test_call_that_was_cut_off_is_ended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str) -> None:
    to = tmp_path / "to"
    served.install(to, "1")
    victim = next(path for path in (to / "upgrader").rglob("*.sls"))
    victim.unlink()

    def dies(*words: object, **more: object) -> None:
        raise OSError(28, "No space left on device", str(to))

    with monkeypatch.context() as then:
        then.setattr(os if cut == "rename" else served.shutil, cut, dies)
        with pytest.raises(UpgradeError, match="No space left on device"):
            served.install(to, "1")
    served.install(to, "1")
    assert content(to) == content(FORMULAS)
    assert [path.name for path in tmp_path.iterdir()] == ["to"]


def test_what_somebody_wrote_is_never_replaced(tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    (to / "top.sls").write_text("base: {}\n")
    with pytest.raises(Refused, match="holds something that this tool did not put there"):
        served.install(to, "1")
    assert content(to) == {"top.sls": b"base: {}\n"}
    (to / "top.sls").unlink()
    served.install(to, "1")
    victim = next(path for path in (to / "upgrader").rglob("*.sls"))
    victim.write_text("mine: {}\n")
    with pytest.raises(Refused, match=f"somebody edited or added {victim.relative_to(to)}"):
        served.install(to, "1")
    assert victim.read_text() == "mine: {}\n"
    (tmp_path / "link").symlink_to(to)
    with pytest.raises(Refused, match="is no folder"):
        served.install(tmp_path / "link", "1")


def test_it_says_what_file_roots_has_to_hold_beside_the_sites(tmp_path: Path) -> None:
    config, to = tmp_path / "master", tmp_path / "to"
    config.write_text("file_roots: {base: [/srv/site, /srv/more]}\n")
    said = run(to, config)
    assert f"write into {config}.d/upgrader.conf" in said
    written = yaml.safe_load(said[said.index("    file_roots:") : said.index("then: ")])
    assert written == {"file_roots": {"base": [str(to), "/srv/site", "/srv/more"]}}
    (tmp_path / "master.d").mkdir()
    (tmp_path / "master.d" / "upgrader.conf").write_text(yaml.safe_dump(written))
    assert "the master's file_roots has that folder" in run(to, config)
