"""Keys of minions that are built anew: replaced and put back whatever cuts in, nobody else's touched, an impostor named."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.salt_master import pki, replacing

from tests.conftest import SOAK
from tests.support.killed import kill_points

CTL, OTHER = "ctl01.lab.local", "cmp001.lab.local"


def key(name: str) -> str:
    body = base64.encodebytes((name * 60).encode()).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n"


OLD, NEW, STRANGE = key("old"), key("new"), key("strange")


@pytest.fixture
def master(tmp_path: Path) -> Path:
    folder = tmp_path / "pki"
    for name in ("minions", "minions_pre", "minions_denied", "minions_rejected"):
        (folder / name).mkdir(parents=True)
    (folder / "minions" / CTL).write_text(OLD)
    (folder / "minions" / OTHER).write_text(OLD)
    return folder


def place(master: Path, run: str = "run-1") -> replacing.Place:
    return replacing.place(str(master), run, str(master.parent / "keys"))


def replace(master: Path, text: str = NEW, run: str = "run-1") -> replacing.Answer:
    return replacing.replace(place(master, run), run, {CTL: text})


def accepted(master: Path, node: str = CTL) -> str:
    return (master / "minions" / node).read_text()


def test_a_key_is_replaced_for_this_minion_alone_and_the_old_one_is_kept(master: Path) -> None:
    answer = replace(master)
    assert answer["changed"] and answer["keys"] == {CTL: {"old": pki.fingerprint(OLD), "new": pki.fingerprint(NEW)}}
    assert accepted(master) == NEW and accepted(master, OTHER) == OLD
    assert (master.parent / "keys" / "run-1" / f"{CTL}.pub").read_text() == OLD
    assert sorted(one.name for one in (master / "minions").iterdir()) == [OTHER, CTL], (
        "nothing else looks like a minion"
    )
    assert not replace(master)["changed"]


def test_fingerprints_are_those_that_salt_key_shows(master: Path) -> None:
    pem_finger = pytest.importorskip("salt.utils.crypt").pem_finger
    assert pki.fingerprint(OLD) == pem_finger(str(master / "minions" / CTL), sum_type="sha256")


def test_a_key_is_put_back_and_the_replaced_one_stays_beside_it(master: Path) -> None:
    replace(master)
    (master / "minions_denied" / CTL).write_text(OLD)  # the old machine, which came while the new key stood
    answer = replacing.restore(place(master), [CTL])
    assert answer["changed"] and accepted(master) == OLD
    assert (master.parent / "keys" / "run-1" / f"{CTL}.replaced.pub").read_text() == NEW
    assert not (master / "minions_denied" / CTL).exists(), "the denial said that this very key was not the accepted one"
    assert not replacing.restore(place(master), [CTL])["changed"]
    assert replace(master)["changed"] and accepted(master) == NEW, "and forward again"


def test_cut_off_anywhere_the_next_call_ends_where_an_undisturbed_one_would(master: Path) -> None:
    (master / "minions_pre" / CTL).write_text(NEW)
    before = master.parent / "before"
    shutil.copytree(master, before)
    count = 0
    for count in kill_points(lambda: replace(master), "upgrader_node/salt_master/", 3 if SOAK else 23):  # noqa: B007
        assert accepted(master) in (OLD, NEW)
        replace(master)
        assert accepted(master) == NEW and not (master / "minions_pre" / CTL).exists()
        replacing.restore(place(master), [CTL])
        assert accepted(master) == OLD
        shutil.rmtree(master)
        shutil.rmtree(master.parent / "keys")
        shutil.copytree(before, master)
    assert count > 10


def test_a_denied_key_is_an_impostor_with_its_fingerprint_and_refuses(master: Path) -> None:
    assert replacing.check(str(master), [CTL])["findings"] == []
    (master / "minions_denied" / CTL).write_bytes(b"\x91\xc4\xff" + STRANGE.encode())  # packed, as newer masters do it
    (found,) = replacing.check(str(master), [CTL])["findings"]
    assert found["severity"] == "blocker" and found["subject"] == CTL
    assert f"is the id of another machine too: its key {pki.fingerprint(STRANGE)} was denied" in found["what"]


@pytest.mark.parametrize("folder", ["minions_pre", "minions_denied", "minions_rejected"])
def test_the_remedy_for_a_second_key_leaves_the_accepted_one_alone(master: Path, folder: str) -> None:
    (master / folder / CTL).write_text(STRANGE)
    (found,) = replacing.check(str(master), [CTL])["findings"]
    assert f"'rm {master / folder / CTL}'" in found["remedy"]
    assert "'salt-key" not in found["remedy"], "salt-key -d deletes the accepted key of that id with the others"


@pytest.mark.parametrize("folder", ["minions_pre", "minions_rejected"])
def test_any_second_key_of_an_id_refuses(master: Path, folder: str) -> None:
    (master / folder / CTL).write_text(STRANGE)
    assert len(replacing.check(str(master), [CTL])["findings"]) == 1


def test_a_minion_without_an_accepted_key_refuses(master: Path) -> None:
    (found,) = replacing.check(str(master), ["ctl09.lab.local"])["findings"]
    assert "has no accepted key on this master" in found["what"]


def test_of_the_other_folders_only_the_very_key_is_moved_aside(master: Path) -> None:
    (master / "minions_pre" / CTL).write_text(NEW)
    (master / "minions_denied" / CTL).write_text(STRANGE)
    answer = replace(master)
    assert not (master / "minions_pre" / CTL).exists()
    assert (master.parent / "keys" / "run-1" / f"{CTL}.pending.pub").read_text() == NEW
    assert (master / "minions_denied" / CTL).read_text() == STRANGE
    assert [one["severity"] for one in answer["findings"]] == ["warning"]


def test_an_accepted_key_that_nobody_of_us_knows_is_not_overwritten(master: Path) -> None:
    replace(master)
    (master / "minions" / CTL).write_text(STRANGE)
    with pytest.raises(StepError, match="neither its old one nor the new one"):
        replace(master)
    assert accepted(master) == STRANGE


def test_a_run_does_not_change_its_mind_about_a_new_key(master: Path) -> None:
    replace(master)
    with pytest.raises(StepError, match=r"gave ctl01\.lab\.local another new key before"):
        replace(master, STRANGE)


def test_an_id_that_the_receipt_lacks_is_not_restored_and_nothing_else_is(master: Path) -> None:
    replace(master)
    with pytest.raises(StepError, match=f"has no key of {OTHER}"):
        replacing.restore(place(master), [CTL, OTHER])
    assert accepted(master) == NEW


def test_a_run_that_was_cut_before_its_receipt_replaced_nothing_and_is_taken_back_as_well(master: Path) -> None:
    answer = replacing.restore(place(master, "run-2"), [CTL])
    assert not answer["changed"] and "no key was replaced" in answer["comment"]
    assert accepted(master) == OLD


def test_a_kept_key_that_was_changed_is_not_put_back(master: Path) -> None:
    replace(master)
    (master.parent / "keys" / "run-1" / f"{CTL}.pub").write_text(STRANGE)
    with pytest.raises(StepError, match="is not the key that the receipt names"):
        replacing.restore(place(master), [CTL])


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", OLD + NEW, OLD.replace("PUBLIC", "RSA PRIVATE")])
def test_what_is_no_single_public_key_is_refused_and_not_repeated(master: Path, text: str) -> None:
    with pytest.raises(StepError, match=r"is no public key in PEM") as caught:
        replace(master, text)
    assert accepted(master) == OLD and "BEGIN" not in str(caught.value)


@pytest.mark.parametrize("node", ["../x", "a/b", "", ".key_cache"])
def test_an_id_that_leads_elsewhere_is_refused(master: Path, node: str) -> None:
    with pytest.raises(StepError, match="is no minion id"):
        replacing.replace(place(master), "run-1", {node: NEW})


def test_a_folder_that_is_no_masters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="is no folder of a Salt master's keys"):
        replacing.check(str(tmp_path), [CTL])
