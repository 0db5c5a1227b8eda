"""These tests run on a foundation node of the lab: a real libvirtd, real machines under qemu and as containers."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "formulas" / "_utils"))
# Debian's libvirt-python, which Salt's own environment does not see; last, so that nothing of ours is hidden by it.
sys.path.append("/usr/lib/python3/dist-packages")

import libvirt  # noqa: E402
import salt.client  # noqa: E402
import salt.config  # noqa: E402
from upgrader_node.vm import finding  # noqa: E402

from tests.functional_vm.machines import NODE, URIS, Container, Guest, Machine, run  # noqa: E402


@pytest.fixture
def images() -> Iterator[Path]:
    """A folder for disks; whatever a test left running or defined is gone afterwards.

    Not the node's /tmp, which is in memory, and a short name: libvirt takes no longer one than 63 characters for a container.
    """
    folder = Path(tempfile.mkdtemp(prefix="vm-", dir="/srv"))
    yield folder
    run("systemctl", "start", "libvirtd.service")
    for uri in URIS:
        for name in run("virsh", "-q", "-c", uri, "list", "--name").split():
            run("virsh", "-q", "-c", uri, "destroy", name, check=False)
        for name in run("virsh", "-q", "-c", uri, "list", "--all", "--name").split():
            more = ["--managed-save", "--snapshots-metadata"] if uri.startswith("qemu") else []
            run("virsh", "-q", "-c", uri, "undefine", name, *more)
    shutil.rmtree(folder)


@pytest.fixture
def guest(images: Path) -> Guest:
    """A machine under qemu whose guest counts its boots and hears the button."""
    return Guest("ctl01", images)


@pytest.fixture
def idle(images: Path) -> Guest:
    """A machine that runs nothing but its firmware: up at once, and deaf."""
    return Guest("ctl02", images, boots=False)


@pytest.fixture
def container(images: Path) -> Container:
    return Container("prx01", images)


@pytest.fixture(params=["guest", "container"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """The same through both drivers."""
    made: Machine = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["library", "virsh"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> finding.Host:
    """The node, with libvirt reached in either way."""
    found = finding.host(NODE, libvirt if request.param == "library" else None)
    return found._replace(receipts=str(tmp_path / "receipts"))


@pytest.fixture
def node(tmp_path: Path) -> finding.Host:
    """The node as most have it: by virsh."""
    return finding.host(NODE)._replace(receipts=str(tmp_path / "receipts"))


class Minion:
    """Salt's loader with our modules in it, as salt-call --local has it; libvirt's library is importable or is not."""

    def __init__(self, root: Path) -> None:
        self.config = root / "config"
        self.config.mkdir(parents=True)
        options = {
            "id": NODE,
            "file_client": "local",
            "root_dir": str(root),
            "cachedir": str(root / "cache"),
            "pki_dir": str(root / "pki"),
            "file_roots": {"base": [str(REPOSITORY / "formulas")]},
            "enable_fqdns_grains": False,
            "enable_gpu_grains": False,
        }
        (self.config / "minion").write_text(json.dumps(options))
        self.caller = salt.client.Caller(mopts=dict(salt.config.minion_config(str(self.config / "minion"))))
        self.caller.cmd("saltutil.sync_all")
        self.caller = salt.client.Caller(mopts=dict(salt.config.minion_config(str(self.config / "minion"))))

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        return self.caller.cmd(function, *args, **kwargs)


@pytest.fixture(scope="session")
def minion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minion]:
    yield Minion(tmp_path_factory.mktemp("minion"))
    shutil.rmtree(finding.RECEIPTS, ignore_errors=True)
