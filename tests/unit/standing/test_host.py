"""Facts of the machine that runs this test, against what its own tools say."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from upgrader_node.standing import host


def test_clock_and_room_are_the_machines_own(tmp_path: Path) -> None:
    before = time.time()
    facts = host.facts((str(tmp_path), str(tmp_path), "/nonexistent"))
    assert before <= facts["time"] <= time.time()
    [one] = facts["room"]
    said = subprocess.run(
        ["df", "-B1", "--output=size,avail", str(tmp_path)], capture_output=True, text=True, check=True
    )
    size, free = map(int, said.stdout.split()[-2:])
    assert one["folder"] == str(tmp_path) and one["total"] == size
    assert abs(one["free"] - free) < 2**30 and one["inodes_free"] <= one["inodes"]


def test_each_file_system_is_told_once() -> None:
    folders = ("/", "/usr", "/proc")
    assert len(host.room(folders)) == len({os.stat(folder).st_dev for folder in folders})


def test_versions_are_those_of_packages_that_are_installed_whole() -> None:
    text = "installed\tqemu-kvm\t1:2.0.0\nnot-installed\tlibvirt-bin\t\ninstalled\thaproxy-doc\t1\nconfig-files\thaproxy\t1.4\n"
    assert host.parse(text, host.PACKAGES) == {"qemu-kvm": "1:2.0.0"}


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="needs dpkg")
def test_dpkg_of_this_machine_is_understood() -> None:
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "coreutils"], capture_output=True, text=True, check=True
    )
    assert host.packages(("coreutils", "no-such-package")) == {"coreutils": said.stdout}
