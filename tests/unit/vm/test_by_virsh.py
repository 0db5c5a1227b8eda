"""What libvirt's command says when libvirtd was started a moment ago. Its words were seen with libvirt 9.0 on a busy machine."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from upgrader_node.vm import by_virsh, commands
from upgrader_node.vm.hypervisor import LibvirtFailed, Standing

NOT_YET = "error: Requested operation is not valid: Init pid is not yet available"
KNOWN = "Id: 4711\nName: ctl01\nState: running\nPersistent: yes\nAutostart: disable\nManaged save: no\n"


REAL = commands.run


def saying(*answers: tuple[int, str, str]) -> mock.Mock:
    held: Iterator[commands.Ran] = iter([commands.Ran(*one) for one in answers])
    return mock.create_autospec(REAL, side_effect=lambda *_: next(held))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_virsh, "PAUSE", 0.001)


def test_container_whose_first_process_is_not_known_yet_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = saying((1, "", NOT_YET), (1, "", NOT_YET), (0, KNOWN, ""))
    monkeypatch.setattr(commands, "run", asked)
    assert by_virsh.ByVirsh("lxc:///system").standing("ctl01") == Standing("running", True, False, False)
    assert asked.call_count == 3


def test_one_that_is_never_known_is_told_and_another_failure_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = saying((1, "", "error: failed to get domain 'ctl01'"))
    monkeypatch.setattr(commands, "run", asked)
    with pytest.raises(LibvirtFailed, match="failed to get domain"):
        by_virsh.ByVirsh("lxc:///system").standing("ctl01")
    assert asked.call_count == 1
    monkeypatch.setattr(by_virsh, "PATIENCE", 0.05)
    monkeypatch.setattr(commands, "run", saying(*[(1, "", NOT_YET)] * 500))
    with pytest.raises(LibvirtFailed, match="Init pid is not yet available"):
        by_virsh.ByVirsh("lxc:///system").standing("ctl01")
