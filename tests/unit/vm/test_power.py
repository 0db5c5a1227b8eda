"""Off and on: asked first, forced only when that was allowed, and what is so already is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.vm import container, exclusive, power
from upgrader_node.vm.hypervisor import LibvirtFailed

from tests.unit.vm.conftest import CTL, World


def test_guest_that_hears_goes_off_by_itself(world: World) -> None:
    world.hypervisor.start(CTL)
    answer = power.stop(world.host, CTL, 5, hard=False)
    assert (answer["changed"], answer["hard"], answer["comment"]) == (True, False, "ctl01 went off by itself")
    again = power.stop(world.host, CTL, 5, hard=False)
    assert (again["changed"], again["comment"]) == (False, "ctl01 was off already")
    assert world.hypervisor.asked == [CTL]


def test_guest_that_does_not_hear_keeps_running_unless_force_is_allowed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "ASK_AGAIN", 0.01)
    world.hypervisor.deaf = True
    world.hypervisor.start(CTL)
    said = r"ctl01 on kvm01 did not go off within 0 s of being asked and is running: shut it down from inside, or allow a hard stop"
    with pytest.raises(StepError, match=said):
        power.stop(world.host, CTL, 0.1, hard=False)
    assert len(world.hypervisor.asked) > 1, "a guest that boots does not hear the first request"
    assert world.hypervisor.standing(CTL).state == "running"
    answer = power.stop(world.host, CTL, 0.1, hard=True)
    assert answer["hard"] and answer["comment"] == "ctl01 did not go off within 0 s and was stopped hard"


def test_guest_that_cannot_be_asked_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise LibvirtFailed("no agent")

    world.hypervisor.start(CTL)
    monkeypatch.setattr(world.hypervisor, "shutdown", refuse)
    with pytest.raises(StepError, match="did not go off"):
        power.stop(world.host, CTL, 0.02, hard=False)


def test_force_that_has_no_effect_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hypervisor.deaf = True
    world.hypervisor.start(CTL)
    monkeypatch.setattr(power, "HARD_SECONDS", 0.02)
    monkeypatch.setattr(world.hypervisor, "destroy", lambda name: None)
    with pytest.raises(StepError, match="ctl01 on kvm01 is still running 0 s after a hard stop"):
        power.stop(world.host, CTL, 0.01, hard=True)

    def refuse(name: str) -> None:
        raise LibvirtFailed("device busy")

    monkeypatch.setattr(world.hypervisor, "destroy", refuse)
    with pytest.raises(StepError, match="ctl01 on kvm01 cannot be stopped even by force: device busy"):
        power.stop(world.host, CTL, 0.01, hard=True)


def test_start_leaves_what_runs_and_says_why_something_does_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert power.start(world.host, CTL) == {"comment": "ctl01 was started", "changed": True}
    assert power.start(world.host, CTL) == {"comment": "ctl01 was running already", "changed": False}
    assert power.state(world.host, CTL)["comment"] == "ctl01 is running"
    world.hypervisor.change(CTL, state="paused")
    with pytest.raises(StepError, match=r"ctl01 on kvm01 is paused: resume it \(virsh resume\) or stop it"):
        power.start(world.host, CTL)
    world.hypervisor.destroy(CTL)

    def refuse(name: str) -> None:
        raise LibvirtFailed("no memory")

    monkeypatch.setattr(world.hypervisor, "start", refuse)
    with pytest.raises(StepError, match="ctl01 on kvm01 does not start: no memory; mend that"):
        power.start(world.host, CTL)


def test_two_calls_for_one_domain_do_not_meet(tmp_path: Path) -> None:
    with exclusive.alone("ctl01", "upgrader_disk.keep", "r1", str(tmp_path)):
        taken = pytest.raises(StepError, match=r"machine ctl01 is in use by upgrader_disk.keep of run r1 \(process \d+")
        with taken, exclusive.of_receipt({"domain": "ctl01"}, "upgrader_disk.restore", str(tmp_path)):
            pytest.fail("two at once")
        with exclusive.alone("ctl02", "upgrader_disk.keep", "r1", str(tmp_path)):
            pass
    with pytest.raises(StepError, match="no name of a domain"):
        exclusive.of_receipt({"domain": "../x"}, "upgrader_disk.restore")


def test_init_of_a_container_is_its_controllers_only_child_and_asked_in_its_own_way() -> None:
    """A process stands in for the init; it is no systemd, so it is asked by SIGTERM."""
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); sys.exit(p.wait())"
    controller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert controller.stdout is not None
    init = int(controller.stdout.readline())
    deadline = time.monotonic() + 10
    while os.path.basename(os.readlink(f"/proc/{init}/exe")) != "sleep":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert container.ask(controller.pid)
    assert controller.wait(10) == 256 - signal.SIGTERM
    controller.stdout.close()
    assert not container.ask(controller.pid)


def test_init_that_has_ended_unnoticed_is_told_from_one_that_lives() -> None:
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); sys.stdin.read(); p.wait()"
    controller = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert controller.stdout is not None and controller.stdin is not None
    init = int(controller.stdout.readline())
    assert not container.ended(controller.pid)
    os.kill(init, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not container.ended(controller.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    controller.communicate("")
    assert not container.ended(controller.pid)
