"""The end of what was kept: said before, deleted only where it is what the receipt names and nobody needs it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from upgrader_node.errors import StepError
from upgrader_node.vm import discard, receipts

from tests.support.hypervisor_in_memory import definition
from tests.support.killed import kill_points
from tests.unit.vm.conftest import CONTENT, CTL, World
from tests.unit.vm.test_keep_and_back import KEPT, NEW, NODE_CODE, PLACE, SEEN, STEP


def test_room_is_said_and_then_taken_back_after_a_success(world: World) -> None:
    receipt = world.keep()["receipt"]
    world.new_machine()
    said = discard.held(world.host, "r1")
    assert [one["path"].rpartition("/")[2] for one in said["files"]] == list(KEPT)
    assert said["comment"] == "run r1 holds 2 files of 0 MB on kvm01" and said["bytes"] > 0
    answer = discard.discard(world.host, receipt)
    assert (answer["changed"], answer["bytes"]) == (True, said["bytes"])
    assert world.files() == {f"{target}.img": b"ocata on " + target.encode() for target in CONTENT}
    assert not discard.discard(world.host, receipt)["changed"]
    assert discard.held(world.host, "r1")["files"] == discard.held(world.host, "r7")["files"] == []
    with pytest.raises(StepError, match="what run r1 kept of ctl01 was discarded: there is no way back"):
        world.restore(receipt)


@pytest.mark.parametrize("mode", ["rename", "copy"])
def test_what_the_way_back_moved_aside_is_what_goes(world: World, mode: str) -> None:
    receipt = world.keep(mode=mode)["receipt"]
    world.new_machine()
    world.restore(receipt)
    assert [one["path"].rpartition("/")[2] for one in discard.held(world.host, "r1")["files"]] == list(NEW)
    discard.discard(world.host, receipt)
    assert world.files() == PLACE


def test_end_that_was_cut_is_ended_by_the_next_call(world: World, put_back: Callable[[], None]) -> None:
    def work() -> None:
        receipt = world.keep()["receipt"]
        world.new_machine()
        discard.discard(world.host, receipt)

    for _ in kill_points(work, NODE_CODE, STEP):
        held = receipts.read(world.host.receipts, "r1", CTL)
        if held is not None and held["state"] == receipts.DISCARDED:
            discard.discard(world.host, held)
            assert list(world.files()) == list(PLACE)
        put_back()


def test_file_that_is_not_the_receipts_or_that_somebody_needs_stays(world: World) -> None:
    receipt = world.keep()["receipt"]
    with pytest.raises(
        StepError, match=r"nothing is in the place of .*vda.img, so .*kept-r1 is the only disk of ctl01"
    ):
        discard.discard(world.host, receipt)
    world.new_machine()
    new = {path.name: path.read_bytes() for path in world.disks.values()}
    kept = world.folder / "images" / "vda.img.kept-r1"
    world.hypervisor.define(definition("ctl09", {"vda": kept}, uuid="9"))
    with pytest.raises(StepError, match=r"vda.img.kept-r1 on kvm01 is needed by ctl09: it is no leftover"):
        discard.discard(world.host, receipt)
    assert world.files() == {**KEPT, **new}
    world.hypervisor.undefine("ctl09")
    kept.rename(world.folder / "elsewhere")
    kept.write_bytes(b"somebody else's")
    assert discard.discard(world.host, receipt)["files"] == [str(kept.with_name("vdb.img.kept-r1"))]
    assert world.files() == {**new, kept.name: b"somebody else's"}


def test_receipt_in_the_middle_of_moving_is_left_to_its_call(world: World, put_back: Callable[[], None]) -> None:
    for _ in kill_points(world.keep, NODE_CODE, SEEN):
        held = receipts.read(world.host.receipts, "r1", CTL)
        if held is not None:
            with pytest.raises(
                StepError, match=r"run r1 is in the middle of moving the disks of ctl01 .*says intended"
            ):
                discard.discard(world.host, held)
            return
        put_back()
