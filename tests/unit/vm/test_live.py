"""A copy of a running domain: one moment of all disks, nothing lost of what is written meanwhile, and every cut mended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from upgrader_node.errors import StepError
from upgrader_node.vm import check, copying, live
from upgrader_node.vm.hypervisor import Job, LibvirtFailed

from tests.support.killed import kill_points
from tests.unit.vm.conftest import CONTENT, CTL, World
from tests.unit.vm.test_keep_and_back import KEPT, NODE_CODE, PLACE, SEEN, STEP


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.001)
    monkeypatch.setattr(live, "COMMIT_SECONDS", 0.05)


@pytest.fixture
def running(world: World) -> World:
    world.hypervisor.start(CTL)
    return world


def test_running_domain_is_copied_and_uses_its_own_disks_again(running: World) -> None:
    before = running.hypervisor.xml(CTL)
    receipt = running.keep(mode="live")["receipt"]
    assert running.files() == {**PLACE, **KEPT}
    assert running.hypervisor.xml(CTL) == before == receipt["definition"]
    assert [disk["sha256"] for disk in receipt["disks"]] == [
        copying.sha256(str(running.folder / "images" / name)) for name in KEPT
    ]
    assert not running.keep(mode="live")["changed"]


def test_what_is_written_meanwhile_is_in_the_disk_and_not_in_the_copy(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: str, target: str) -> str:
        with open(source + ".live-r1", "ab") as file:
            file.write(b"+later")
        return original(source, target)

    original = copying.copy
    monkeypatch.setattr(copying, "copy", copy)
    running.keep(mode="live")
    assert running.files() == {**KEPT, **{name: content + b"+later" for name, content in PLACE.items()}}


def test_live_backup_killed_at_any_line_is_ended_by_the_next_call(running: World, put_back: Callable[[], None]) -> None:
    before = running.hypervisor.xml(CTL)
    for _ in kill_points(lambda: running.keep(mode="live"), NODE_CODE, STEP):
        running.keep(mode="live")
        assert {n: c for n, c in running.files().items() if not n.endswith(".unused")} == {**PLACE, **KEPT}
        assert running.hypervisor.xml(CTL) == before
        put_back()


def test_domain_is_on_its_own_disks_after_a_copy_that_failed(running: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = running.hypervisor.xml(CTL)

    def full(source: str, target: str) -> str:
        if "vdb" in source:
            raise StepError("no room")
        return original(source, target)

    original = copying.copy
    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy", full)
        with pytest.raises(StepError, match="no room"):
            running.keep(mode="live")
    assert running.hypervisor.xml(CTL) == before
    assert not [name for name in running.files() if ".live-" in name]
    running.disks["vda"].write_bytes(b"later")
    running.keep(mode="live")
    assert running.files()["vda.img.kept-r1"] == b"later", "one moment of both: the first copy was of an earlier one"


def test_cut_backup_is_named_at_the_gate_and_does_not_go_back(running: World, put_back: Callable[[], None]) -> None:
    for _ in kill_points(lambda: running.keep(mode="live"), NODE_CODE, SEEN):
        if ".live-r1" in running.hypervisor.xml(CTL):
            said = [one["what"] for one in check.check(running.host, [CTL], "rename")["findings"]]
            assert "which a live backup that was cut left" in said[0]
            running.hypervisor.destroy(CTL)
            with pytest.raises(
                StepError, match="ctl01 on kvm01 is shut off and a live backup needs it to run: start it"
            ):
                running.keep(mode="live")
            from upgrader_node.vm import receipts

            held = receipts.need(running.host.receipts, "r1", CTL)
            with pytest.raises(
                StepError, match=r"live backup of ctl01 by run r1 was cut: let upgrader_disk.keep end it"
            ):
                running.restore(held)
            running.hypervisor.start(CTL)
            running.keep(mode="live")
            assert running.files() == {**PLACE, **KEPT}
            return
        put_back()
    pytest.fail("never seen half way")


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job(3, 10), r"disk vda of ctl01 did not take back its blocks within 0 s, last seen 3 of 10 bytes"),
        (None, "the commit of disk vda of ctl01 ended before its time"),
    ],
)
def test_commit_that_does_not_end_is_said(
    running: World, monkeypatch: pytest.MonkeyPatch, job: Job | None, said: str
) -> None:
    monkeypatch.setattr(running.hypervisor, "job", lambda name, target: job)
    with pytest.raises(StepError, match=said):
        running.keep(mode="live")


def test_pivot_that_is_refused_is_said_after_the_deadline(running: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, target: str) -> None:
        raise LibvirtFailed("not ready")

    monkeypatch.setattr(running.hypervisor, "pivot", refuse)
    with pytest.raises(LibvirtFailed, match="not ready"):
        running.keep(mode="live")
    monkeypatch.undo()
    assert CONTENT["vda"] in running.files().values()
