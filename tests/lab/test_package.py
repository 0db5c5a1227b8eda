"""The Debian package: built by its one command, installed on a bare node, it is the whole command without the lab."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import NAME
from tests.support.sources import ROOT
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("package")
    built = subprocess.run(
        [ROOT / "packaging" / "build-deb.sh", folder], capture_output=True, text=True, check=True, timeout=1800
    )
    package = Path(built.stdout.strip())
    lab = Lab(f"{NAME}p", narrator=Narrator())
    lab.down()
    lab.up(topology="bench")
    try:
        node = lab.node("bench01")
        (node.root / "root" / package.name).write_bytes(package.read_bytes())
        node.run(["dpkg", "-i", f"/root/{package.name}"], timeout=600)
        yield node
    finally:
        lab.down()


def test_command_is_there_with_its_pages_and_without_the_lab(installed: Node) -> None:
    said = installed.run(["upgrader", "--help"]).stdout
    assert "control-plane" in said and "\n  lab " not in said
    lab = installed.run(["upgrader", "lab", "up"], check=False)
    assert lab.returncode == 2 and "not part of this installation" in lab.stderr
    assert (installed.root / "usr/share/man/man1/upgrader-status.1.gz").exists()


def test_what_it_says_without_a_master_is_one_sentence(installed: Node) -> None:
    ran = installed.run(["upgrader", "preflight"], check=False)
    assert ran.returncode == 5 and len(ran.stderr.splitlines()) == 1, ran.stderr


def test_formulas_come_out_of_it_as_they_are_here(installed: Node) -> None:
    installed.run(["upgrader", "install-formulas", "--to", "/srv/upgrader-formulas"])
    ours = subprocess.run(["git", "ls-files", "formulas"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in ours.splitlines():
        there = installed.root / "srv/upgrader-formulas" / Path(name).relative_to("formulas")
        assert there.read_bytes() == (ROOT / name).read_bytes()


def test_unit_is_one_that_systemd_takes(installed: Node) -> None:
    ran = installed.run(["systemd-analyze", "verify", "/usr/lib/systemd/system/upgrader@.service"], check=False)
    assert ran.returncode == 0, ran.stderr


def test_taken_away_it_leaves_nothing(installed: Node) -> None:
    """Last: the others need it."""
    installed.run(["dpkg", "--purge", "upgrader"], timeout=300)
    assert not (installed.root / "opt/upgrader").exists() and not (installed.root / "usr/bin/upgrader").exists()
