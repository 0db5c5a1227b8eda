"""Disks kept and put back: every content is somewhere under a name that says what it is, whatever happens in between."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.vm import back, copying, keep, moving, proof, receipts

from tests.conftest import SOAK
from tests.support.hypervisor_in_memory import definition
from tests.support.killed import kill_points
from tests.unit.vm.conftest import CONTENT, CTL, World

NODE_CODE = "upgrader_node/vm/"
KEPT = {f"{target}.img.kept-r1": content for target, content in CONTENT.items()}
PLACE = {f"{target}.img": content for target, content in CONTENT.items()}
NEW = {f"{target}.img.replaced-r1": b"ocata on " + target.encode() for target in CONTENT}
MODES = ("rename", "copy")
STEP = 1 if SOAK else 59
"""Every line is one to be killed at; every day one of fifty-nine."""
SEEN = 5 if SOAK else 19
"""How finely a test looks for a moment that lasts for many lines."""


def left(mode: str) -> dict[str, bytes]:
    """What a finished backup leaves."""
    return KEPT if mode == "rename" else {**KEPT, **PLACE}


@pytest.mark.parametrize("mode", MODES)
def test_disks_are_kept_beside_themselves_and_the_receipt_says_what_they_are(world: World, mode: str) -> None:
    answer = world.keep(mode=mode)
    assert world.files() == left(mode)
    receipt = answer["receipt"]
    assert answer["changed"] and receipt["state"] == receipts.KEPT
    assert [(disk["target"], disk["size"]) for disk in receipt["disks"]] == [
        (target, len(content)) for target, content in CONTENT.items()
    ]
    assert (receipt["run"], receipt["node"], receipt["taken_at"]) == ("r1", "kvm01", "2026-11-29T18:00:00Z")
    where = world.folder / "receipts" / "r1" / f"{CTL}.json"
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert json.loads(where.read_text()) == receipt


@pytest.mark.parametrize("mode", MODES)
def test_second_call_says_that_it_was_done_before(world: World, mode: str) -> None:
    first = world.keep(mode=mode)
    again = world.keep(mode=mode)
    assert not again["changed"] and again["receipt"] == first["receipt"]
    assert again["comment"] == "2 disks of ctl01 were kept already"


@pytest.mark.parametrize("mode", MODES)
def test_way_back_moves_the_new_disks_aside_and_defines_the_old_machine(world: World, mode: str) -> None:
    before = world.hypervisor.xml(CTL)
    world.hypervisor.set_autostart(CTL, True)
    receipt = world.keep(mode=mode)["receipt"]
    world.new_machine()
    world.hypervisor.set_autostart(CTL, False)
    answer = world.restore(receipt)
    assert world.files() == {**PLACE, **NEW}
    assert world.hypervisor.xml(CTL) == before
    assert world.hypervisor.standing(CTL).autostart
    assert answer["moved_aside"] == [str(world.folder / "images" / name) for name in NEW]
    again = world.restore(receipt)
    assert not again["changed"] and again["comment"] == "2 disks of ctl01 are back already"


def test_forward_again_and_back_again_under_another_run(world: World) -> None:
    first = world.keep()["receipt"]
    world.new_machine()
    world.restore(first)
    second = world.keep("r2")["receipt"]
    world.new_machine()
    world.restore(second)
    assert {name: content for name, content in world.files().items() if ".replaced-" not in name} == PLACE
    assert len(world.files()) == 6


def test_run_that_went_back_is_not_kept_again(world: World) -> None:
    world.restore(world.keep()["receipt"])
    with pytest.raises(StepError, match="that run r1 kept are returned already: keep them under another run"):
        world.keep()


@pytest.mark.parametrize("mode", MODES)
def test_backup_killed_at_any_line_is_ended_by_the_next_call(
    world: World, put_back: Callable[[], None], mode: str
) -> None:
    kills = 0
    for _ in kill_points(lambda: world.keep(mode=mode), NODE_CODE, STEP):
        held = list(world.files().values())
        assert all(content in held for content in CONTENT.values())
        answer = world.keep(mode=mode)
        assert world.files() == left(mode)
        assert answer["receipt"]["state"] == receipts.KEPT
        proof.verify(world.host.receipts, answer["receipt"], "kvm01")
        put_back()
        kills += 1
    assert kills * STEP > 230


@pytest.mark.parametrize("mode", MODES)
def test_way_back_killed_at_any_line_is_ended_by_the_next_call(world: World, mode: str) -> None:
    before = world.hypervisor.xml(CTL)
    kills = 0

    def forward() -> dict[str, object]:
        for path in (world.folder / "images").iterdir():
            path.unlink()
        for path in (world.folder / "receipts").rglob("*.json"):
            path.unlink()
        for target, content in CONTENT.items():
            world.disks[target].write_bytes(content)
        world.hypervisor.define(definition(CTL, world.disks))
        receipt: dict[str, object] = world.keep(mode=mode)["receipt"]
        world.new_machine()
        return receipt

    receipts_of = [forward()]
    for _ in kill_points(lambda: world.restore(receipts_of[-1]), NODE_CODE, STEP):
        held = list(world.files().values())
        assert all(content in held for content in [*CONTENT.values(), *NEW.values()])
        world.restore(receipts_of[-1])
        assert world.files() == {**PLACE, **NEW}
        assert world.hypervisor.xml(CTL) == before
        receipts_of.append(forward())
        kills += 1
    assert kills * STEP > 230


@pytest.mark.parametrize("mode", MODES)
def test_backup_that_was_cut_goes_back_as_far_as_it_came(world: World, put_back: Callable[[], None], mode: str) -> None:
    """Nobody has a receipt of it but the node itself: the call that would have answered it died."""
    for _ in kill_points(lambda: world.keep(mode=mode), NODE_CODE, SEEN):
        held = receipts.read(world.host.receipts, "r1", CTL)
        if held is not None:
            world.restore(held)
            assert PLACE.items() <= world.files().items()
            assert not world.restore(held)["changed"]
        put_back()


def test_running_domain_is_never_moved(world: World) -> None:
    world.hypervisor.start(CTL)
    for mode in MODES:
        with pytest.raises(StepError, match=r"ctl01 on kvm01 is running: stop it first \(upgrader_vm.stop\)"):
            world.keep(mode=mode)
    assert world.files() == PLACE
    world.hypervisor.destroy(CTL)
    receipt = world.keep()["receipt"]
    world.new_machine()
    world.hypervisor.start(CTL)
    with pytest.raises(StepError, match="ctl01 on kvm01 is running: stop it first"):
        world.restore(receipt)
    assert set(world.files()) == {*KEPT, *PLACE}


def altered(path: Path, same_size: bool) -> None:
    content = path.read_bytes()
    path.write_bytes(b"X" + content[1:] if same_size else content + b"X")


def test_kept_disk_that_was_altered_does_not_go_back(world: World) -> None:
    receipt = world.keep()["receipt"]
    world.new_machine()
    kept = world.folder / "images" / "vdb.img.kept-r1"
    for same_size, said in (
        (False, r"vdb.img.kept-r1 has 46 bytes, its receipt says 45"),
        (True, "was written to after it was kept"),
    ):
        content, times = kept.read_bytes(), kept.stat()
        altered(kept, same_size)
        with pytest.raises(StepError, match=said):
            world.restore(receipt)
        kept.write_bytes(content)
        os.utime(kept, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert set(world.files()) == {*KEPT, *PLACE}, "nothing was moved, of no disk"
    world.restore(receipt)


def test_kept_disk_that_rotted_without_a_trace_is_found_by_its_hash(world: World) -> None:
    receipt = world.keep()["receipt"]
    hashed = proof.hash_kept(world.host.receipts, receipt, "kvm01")
    assert hashed["comment"] == "2 disks of ctl01 hashed"
    assert not proof.hash_kept(world.host.receipts, receipt, "kvm01")["changed"]
    kept = world.folder / "images" / "vda.img.kept-r1"
    times = kept.stat()
    altered(kept, same_size=True)
    os.utime(kept, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(StepError, match=r"kept disk .*vda.img.kept-r1 has sha256 \w{64}, its receipt says \w{64}"):
        world.restore(receipt)
    with pytest.raises(StepError, match="sha256"):
        proof.verify(world.host.receipts, hashed["receipt"], "kvm01")
    proof.verify(world.host.receipts, hashed["receipt"], "kvm01", content=False)


def test_kept_disk_that_is_gone_is_named(world: World) -> None:
    receipt = world.keep()["receipt"]
    (world.folder / "images" / "vda.img.kept-r1").unlink()
    with pytest.raises(
        StepError, match=r"vda.img.kept-r1 cannot be read: No such file or directory; there is no way back"
    ):
        world.restore(receipt)
    with pytest.raises(StepError, match=r"vda.img.kept-r1 is not the disk that run r1 kept of ctl01 any more"):
        world.keep()


def test_file_in_the_way_is_never_replaced(world: World) -> None:
    foreign = world.folder / "images" / "vda.img.kept-r1"
    foreign.write_bytes(b"somebody else's")
    receipt = world.keep()["receipt"]
    assert receipt["disks"][0]["kept"].endswith("vda.img.kept-r1.2")
    world.new_machine()
    (world.folder / "images" / "vda.img.replaced-r1").write_bytes(b"theirs too")
    world.restore(receipt)
    files = world.files()
    assert (files["vda.img.kept-r1"], files["vda.img.replaced-r1"]) == (b"somebody else's", b"theirs too")
    assert files["vda.img.replaced-r1.2"] == b"ocata on vda"


def test_copy_that_the_domain_overtook_is_made_anew(world: World, put_back: Callable[[], None]) -> None:
    """Cut between two disks, started, written to, stopped: one moment of both is wanted, not two."""
    for number in kill_points(lambda: world.keep(mode="copy"), NODE_CODE, SEEN):
        half = "vda.img.kept-r1" in world.files() and "vdb.img.kept-r1" not in world.files()
        if half:
            world.disks["vda"].write_bytes(b"written later")
            receipt = world.keep(mode="copy")["receipt"]
            assert Path(receipt["disks"][0]["kept"]).read_bytes() == b"written later", number
            assert world.files()["vda.img.kept-r1"] == CONTENT["vda"], "what was made before is left"
            return
        put_back()
    pytest.fail("never seen half way")


def test_copies_in_a_folder_carry_the_domains_name_and_come_back_by_a_copy_from_another_filesystem(
    world: World,
) -> None:
    places = (Path("/dev/shm"), Path("/var/tmp"))
    place = next(one for one in places if one.stat().st_dev != world.folder.stat().st_dev)
    other = place / f"upgrader-test-{os.getpid()}"
    other.mkdir()
    try:
        receipt = world.keep(mode="copy", folder=str(other))["receipt"]
        assert sorted(path.name for path in other.iterdir()) == [f"ctl01-{t}-{t}.img.kept-r1" for t in CONTENT]
        assert all(disk["sha256"] == copying.sha256(disk["path"]) for disk in receipt["disks"])
        world.new_machine()
        world.restore(receipt)
        assert world.files() == {**PLACE, **NEW}
        assert len(list(other.iterdir())) == 2, "the copies stay"
    finally:
        for path in other.iterdir():
            path.unlink()
        other.rmdir()


def test_lost_definition_and_another_machine_of_that_name_are_replaced_by_the_receipts(world: World) -> None:
    before = world.hypervisor.xml(CTL)
    receipt = world.keep()["receipt"]
    world.hypervisor.undefine(CTL)
    world.restore(receipt)
    assert world.hypervisor.xml(CTL) == before
    second = world.keep("r2")["receipt"]
    world.hypervisor.undefine(CTL)
    world.hypervisor.define(definition(CTL, world.disks, uuid="another"))
    world.restore(second)
    assert world.hypervisor.xml(CTL) == before


def test_passwords_of_a_definition_stay_on_the_node(world: World) -> None:
    world.hypervisor.change(
        CTL, secret=world.hypervisor.xml(CTL).replace("<devices>", "<devices><graphics passwd='s3'/>")
    )
    answer = world.keep()
    assert "s3" not in json.dumps(answer)
    world.new_machine()
    world.hypervisor.change(CTL, secret="")
    world.restore(answer["receipt"])
    assert "passwd='s3'" in world.hypervisor.xml(CTL)


def test_receipt_of_another_node_or_of_other_disks_is_refused(world: World) -> None:
    receipt = world.keep()["receipt"]
    with pytest.raises(StepError, match="is of node kvm02, and this is kvm01: send it there"):
        world.restore({**receipt, "node": "kvm02"})
    other = json.loads(json.dumps(receipt))
    other["disks"][0]["kept"] += "x"
    with pytest.raises(StepError, match=r"speaks of other disks than .*ctl01.json: find out which is right"):
        world.restore(other)
    with pytest.raises(StepError, match="no receipt of kept disks: it has no disks"):
        world.restore({"run": "r1", "domain": CTL, "node": "kvm01"})


def test_receipt_that_the_node_lost_is_the_journals(world: World) -> None:
    receipt = world.keep()["receipt"]
    (world.folder / "receipts" / "r1" / f"{CTL}.json").unlink()
    world.new_machine()
    world.restore(receipt)
    assert world.files() == {**PLACE, **NEW}


def test_disk_that_is_full_leaves_the_domain_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(write: object, block: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_write", full)
        with pytest.raises(
            StepError, match=r"no room, it takes \d+ MB and \d+ MB are free there; nothing is left behind"
        ):
            world.keep(mode="copy")
    assert world.files() == PLACE
    world.keep(mode="copy")
    assert world.files() == {**PLACE, **KEPT}


def test_progress_of_a_copy_counts_what_is_there_unfinished_too(world: World, put_back: Callable[[], None]) -> None:
    assert keep.progress(world.host, CTL, "r1") == {"what": "MB kept", "done": 0, "total": 0}
    world.disks["vda"].write_bytes(b"x" * 3_000_000)
    world.keep(mode="copy")
    assert keep.progress(world.host, CTL, "r1") == {"what": "MB kept", "done": 3, "total": 3}
    kept = world.folder / "images" / "vda.img.kept-r1"
    kept.rename(f"{kept}.partial")
    assert keep.progress(world.host, CTL, "r1")["done"] == 3


def test_mode_of_a_run_is_not_changed_half_way(world: World) -> None:
    world.keep(mode="copy")
    with pytest.raises(
        StepError, match="run r1 keeps the disks of ctl01 by mode copy: ask for that, or take another run"
    ):
        world.keep(mode="rename")
    with pytest.raises(StepError, match="no mode move: take one of rename, reflink, copy, live"):
        world.keep("r2", mode="move")
    with pytest.raises(StepError, match="mode rename keeps a disk beside itself"):
        world.keep("r2", folder="/srv")


def test_disk_that_went_elsewhere_before_it_was_kept_is_missed_by_name(
    world: World, put_back: Callable[[], None]
) -> None:
    for _ in kill_points(world.keep, NODE_CODE, SEEN):
        held = receipts.read(world.host.receipts, "r1", CTL)
        if held is not None and world.disks["vda"].exists():
            world.disks["vda"].rename(world.folder / "elsewhere")
            with pytest.raises(
                StepError, match=r"neither .*vda.img nor .*kept-r1 is the disk that run r1 means to keep"
            ):
                world.keep()
            return
        put_back()


def test_move_ends_what_was_cut_and_refuses_another_file_and_itself(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    os.link(one, two)
    moving.move(str(one), str(two))
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    one.write_text("another")
    with pytest.raises(StepError, match="two is there already: move it away"):
        moving.move(str(one), str(two))
    with pytest.raises(StepError, match="may be one name of one file"):
        moving.move(str(one), str(one))
    assert (one.read_text(), two.read_text()) == ("another", "1")


def test_copy_keeps_holes_and_content(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.write(b"start")
        file.truncate(64 * 1024 * 1024)
        file.seek(40 * 1024 * 1024)
        file.write(b"middle")
    digest = copying.copy(str(source), str(tmp_path / "copy"))
    assert digest == copying.sha256(str(source)) == copying.sha256(str(tmp_path / "copy"))
    assert (tmp_path / "copy").stat().st_blocks * 512 < 4 * 1024 * 1024


def test_way_back_of_a_run_that_kept_nothing_does_nothing(world: World) -> None:
    for look in (back.can_go_back, back.back):
        answer = look(world.host, CTL, "r1")
        assert (answer["changed"], answer["comment"]) == (False, "run r1 kept no disk of ctl01: it is where it was")
    assert world.files() == PLACE


@pytest.mark.parametrize("lost", [False, True])
def test_way_back_by_the_run_takes_the_nodes_receipt_or_else_the_journals(world: World, lost: bool) -> None:
    receipt = world.keep()["receipt"]
    world.new_machine()
    if lost:
        (world.folder / "receipts" / "r1" / f"{CTL}.json").unlink()
    assert back.can_go_back(world.host, CTL, "r1", receipt)["changed"] is False
    assert back.back(world.host, CTL, "r1", receipt)["changed"] is True
    assert world.files() == {**PLACE, **NEW}
    assert "back already" in back.can_go_back(world.host, CTL, "r1")["comment"]
    assert back.back(world.host, CTL, "r1")["changed"] is False


def test_kept_disk_that_was_written_to_is_named_before_the_machine_is_stopped(world: World) -> None:
    world.keep()
    (world.folder / "images" / "vda.img.kept-r1").write_bytes(b"somebody's")
    with pytest.raises(StepError, match=r"kept disk .*vda.img.kept-r1 has \d+ bytes, its receipt says"):
        back.can_go_back(world.host, CTL, "r1")
