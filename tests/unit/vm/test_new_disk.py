"""A new disk made beside the old one, put in its place, and machines defined and taken away; each cut at any line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.host import sources
from upgrader_node.machine import blueprint, cloud_init, defining, disk, identity
from upgrader_node.vm import copying

from tests.support.hypervisor_in_memory import definition
from tests.support.killed import kill_points
from tests.unit.vm.conftest import CONTENT, CTL, World
from tests.unit.vm.test_keep_and_back import STEP

CODE = "upgrader_node/"
OCATA = b"base of ocata"


@pytest.fixture
def base(tmp_path: Path) -> disk.Base:
    path = tmp_path.with_name(tmp_path.name + "-base.img")
    path.write_bytes(OCATA)
    return disk.Base(str(path), copying.sha256(str(path)))


def prepare(world: World, base: disk.Base) -> dict[str, Any]:
    return disk.prepare(world.host, CTL, "r1", base, disk.Wanted(str(world.disks["vda"]), "raw"), identity.Seed())


def test_disk_killed_in_the_making_or_on_its_way_is_ended_by_the_next_call(
    world: World, base: disk.Base, put_back: Callable[[], None]
) -> None:
    def work() -> None:
        prepare(world, base)
        world.keep()
        disk.place(world.host, CTL, "r1")

    for _ in kill_points(work, CODE, STEP):
        held = list(world.files().values())
        assert all(content in held for content in CONTENT.values())
        if world.disks["vda"].exists() and world.files()["vda.img"] == OCATA:
            disk.place(world.host, CTL, "r1")
        else:
            work()
        assert world.files() == {
            "vda.img": OCATA,
            **{f"{target}.img.kept-r1": content for target, content in CONTENT.items()},
        }
        put_back()


def test_disk_that_is_in_its_place_is_not_made_again(world: World, base: disk.Base) -> None:
    made = prepare(world, base)
    assert made["changed"] and made["disk"]["new"].endswith("vda.img.new-r1")
    assert prepare(world, base)["comment"].endswith("vda.img.new-r1 was made already")
    world.keep()
    disk.place(world.host, CTL, "r1")
    assert prepare(world, base)["comment"].endswith("vda.img was made and is in its place already")
    assert disk.place(world.host, CTL, "r1")["comment"].endswith("vda.img is the new disk of ctl01 already")


def test_disk_that_was_made_and_went_away_is_missed_by_name(world: World, base: disk.Base) -> None:
    os.rename(prepare(world, base)["disk"]["new"], world.folder / "elsewhere")
    with pytest.raises(StepError, match=r"made for ctl01 is neither at .*vda.img.new-r1 nor at .*vda.img: find it"):
        disk.place(world.host, CTL, "r1")
    assert prepare(world, base)["changed"], "another one can be made"


def test_room_for_a_new_disk_is_looked_at_first(world: World, base: disk.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.judgement, "SPARE", 10**18)
    with pytest.raises(
        StepError, match=r"kvm01 has \d+ MB free in .*images and needs \d+: make room there, or name another"
    ):
        prepare(world, base)
    with pytest.raises(StepError, match=r"base.img cannot be read: No such file"):
        prepare(world, base._replace(path="/nowhere/base.img"))


def test_record_that_was_broken_is_said(world: World, base: disk.Base) -> None:
    prepare(world, base)
    (world.folder / "receipts" / "r1" / f"{CTL}.new.json").write_text("{")
    with pytest.raises(StepError, match=r"ctl01.new.json cannot be read .*take another run"):
        prepare(world, base)


def test_program_that_seeding_needs_and_is_not_there_is_named(
    world: World, base: disk.Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk.shutil, "which", lambda name: None if name == "mcopy" else "/usr/bin/" + name)
    wanted = disk.Wanted(str(world.disks["vda"]), "raw")
    with pytest.raises(StepError, match="this node has no mcopy: install it before new machines are made"):
        disk.prepare(world.host, CTL, "r1", base, wanted, identity.Seed("ctl01"))


def test_private_keys_are_not_shown_by_accident() -> None:
    assert repr(identity.Text("/etc/key", "secret", 0o400)) == "Text(/etc/key)"
    texts = [identity.Text(identity.SSH_KEY, "private"), identity.Text(identity.SSH_KEY + ".pub", "public")]
    found = cloud_init.documents(identity.Seed("ctl01.lab.local"), texts, "one")
    assert set(found) == {"user-data", "meta-data"} and "private" in found["user-data"]


def wanted(world: World) -> blueprint.Machine:
    return blueprint.Machine(CTL, "kvm", 2, 2048, str(world.disks["vda"]), "raw", ("br0",))


def test_machine_keeps_its_identity_when_it_is_defined_anew(world: World) -> None:
    before = json.loads(world.hypervisor.file.read_text())[CTL]["xml"]
    assert defining.define(world.host, wanted(world), autostart=True)["changed"]
    assert (
        blueprint.definition(wanted(world), "0b2d4a3c-0000-4000-8000-000000000001")
        == world.hypervisor.xml(CTL)
        != before
    )
    assert world.hypervisor.standing(CTL).autostart
    assert defining.define(world.host, wanted(world), autostart=True)["comment"] == "ctl01 is defined so already"
    world.hypervisor.start(CTL)
    with pytest.raises(StepError, match="ctl01 on kvm01 is running: stop it first"):
        defining.define(world.host, wanted(world)._replace(memory=4096))


def test_machine_killed_while_it_is_taken_away_goes_with_the_next_call(
    world: World, put_back: Callable[[], None]
) -> None:
    for _ in kill_points(lambda: defining.remove(world.host, CTL, "r1"), CODE, STEP):
        defining.remove(world.host, CTL, "r1")
        assert world.files() == {f"{target}.img.removed-r1": content for target, content in CONTENT.items()}
        assert world.hypervisor.names() == ()
        assert defining.remove(world.host, CTL, "r1")["comment"] == "ctl01 was not there"
        put_back()


def test_disk_that_another_machine_needs_is_not_taken_away(world: World) -> None:
    world.hypervisor.define(definition("ctl02", {"vda": world.disks["vda"]}, uuid="2"))
    with pytest.raises(StepError, match=r"disk .*vda.img of ctl01 on kvm01 is needed by ctl02 too"):
        defining.remove(world.host, CTL, "r1")
    assert world.disks["vda"].exists() and CTL in world.hypervisor.names()


def test_answer_of_a_new_disk_has_the_key_of_its_first_minion(
    world: World, base: disk.Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = {"minion_id": CTL, "minions": {"/etc/salt": "OURS", "/etc/site": "THEIRS"}, "ssh": "S"}
    monkeypatch.setattr(disk, "_seeded", lambda *given: {"seed": "/seed", "public": public})
    answer = prepare(world, base)
    assert (answer["minion_key"], answer["seed"]) == ("OURS", "/seed")
    again = prepare(world, base)
    assert (again["minion_key"], again["changed"]) == ("OURS", False)


def test_only_a_minion_that_says_where_it_keeps_modules_gets_them_with_its_disk(tmp_path: Path) -> None:
    (tmp_path / "utils" / "upgrader_node").mkdir(parents=True)
    (tmp_path / "utils" / "upgrader_node" / "x.py").write_text("ours = 1\n")
    (tmp_path / "utils" / "site.py").write_text("theirs = 1\n")
    salts = (identity.Salt("/etc/salt", "cfg01", "/var/cache/ext"), identity.Salt("/opt/site", "cfg01"))
    told = identity.modules(identity.Seed("ctl01.lab.local", salts, {}, sources.modules(str(tmp_path))))
    assert [(one.path, one.text, one.mode) for one in told] == [
        ("/var/cache/ext/utils/upgrader_node/x.py", "ours = 1\n", 0o644)
    ]
