"""Keystone's keys on every controller: sealed for one minion, opened by no other, and what was there is moved aside."""

from __future__ import annotations

import base64
import json
import os
import pwd
import subprocess
from functools import cache
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.production import sharing
from upgrader_node.service import manage

from tests.support.killed import kill_points


def fernet(letter: str) -> bytes:
    return base64.urlsafe_b64encode(letter.encode() * 32)


@cache
def pair_of_keys(of: str) -> tuple[bytes, str]:
    """A minion's keys, made once for all tests: that takes a part of a second."""
    private = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "rsa", "-pubout"], input=private, check=True, capture_output=True).stdout
    return private, public.decode()


class Node:
    """A controller in a folder: its minion's keys, its keystone.conf and the repositories that this names."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.conf, self.private = folder, str(folder / "keystone.conf"), str(folder / "minion.pem")
        private, self.public = pair_of_keys(folder.name)
        Path(self.private).write_bytes(private)
        (folder / "keystone.conf").write_text(
            f"[credential]\nkey_repository = {folder}/credential-keys/\n[fernet_tokens]\nkey_repository = {folder}/fernet-keys\n"
        )

    def give(self, **keys: list[bytes]) -> Node:
        for name, held in keys.items():
            (self.folder / f"{name}-keys").mkdir(0o700)
            for number, key in enumerate(held):
                path = self.folder / f"{name}-keys" / str(number)
                path.write_bytes(key)
                path.chmod(0o600)
        return self

    def held(self, name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / f"{name}-keys").iterdir()}


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Node, Node]:
    own = pwd.getpwuid(os.getuid())
    account = manage.Account(own.pw_name, own.pw_uid, own.pw_gid, (), "/")
    monkeypatch.setattr(manage, "account", lambda name: account)
    first = Node(tmp_path / "ctl01").give(
        credential=[fernet("a"), fernet("b")], fernet=[fernet("c"), fernet("d") + b"\n"]
    )
    return first, Node(tmp_path / "ctl02")


def shared(first: Node, second: Node) -> sharing.Answer:
    sealed = sharing.seal(first.conf, {"ctl02": second.public})
    return sharing.unseal(second.conf, "run-1", sealed["sealed"]["ctl02"], second.private, sealed["hashes"])


def test_the_other_controller_gets_these_keys_and_nobody_could_read_them_on_the_way(pair: tuple[Node, Node]) -> None:
    first, second = pair
    sealed = sharing.seal(first.conf, {"ctl02": second.public})
    assert not any(key.decode() in json.dumps(sealed) for key in map(fernet, "abcd"))
    assert shared(first, second)["changed"]
    assert second.held("credential") == {"0": fernet("a"), "1": fernet("b")}
    assert second.held("fernet") == {"0": fernet("c"), "1": fernet("d")}
    assert {path.stat().st_mode & 0o777 for path in second.folder.glob("*-keys/*")} == {0o600}
    assert not shared(first, second)["changed"]


def test_what_was_there_is_moved_aside(pair: tuple[Node, Node]) -> None:
    first, second = pair
    second.give(credential=[fernet("x")])
    shared(first, second)
    assert (second.folder / "credential-keys.before-run-1" / "0").read_bytes() == fernet("x")


def test_another_minion_opens_nothing_and_nothing_is_changed(pair: tuple[Node, Node]) -> None:
    first, second = pair
    sealed = sharing.seal(first.conf, {"ctl02": second.public})
    with pytest.raises(StepError, match="it was sealed for another minion"):
        sharing.unseal(second.conf, "run-1", sealed["sealed"]["ctl02"], first.private, sealed["hashes"])
    assert not list(second.folder.glob("*-keys*"))


def test_keys_that_are_not_those_that_were_sealed_are_refused(pair: tuple[Node, Node]) -> None:
    first, second = pair
    sealed = sharing.seal(first.conf, {"ctl02": second.public})
    mine = dict(sealed["sealed"]["ctl02"])
    mine["fernet_tokens"] = mine["credential"]
    with pytest.raises(StepError, match="are not the keys that were sealed"):
        sharing.unseal(second.conf, "run-1", mine, second.private, sealed["hashes"])
    assert not list(second.folder.glob("*-keys*"))


def test_a_controller_without_keys_has_none_to_give(pair: tuple[Node, Node]) -> None:
    first, second = pair
    with pytest.raises(StepError, match="holds no key: run phase credential-keys"):
        sharing.seal(second.conf, {"ctl01": first.public})


def test_cut_off_anywhere_the_next_call_gives_them_whole(pair: tuple[Node, Node]) -> None:
    first, second = pair
    second.give(credential=[fernet("x")])
    sealed = sharing.seal(first.conf, {"ctl02": second.public})

    def work() -> object:
        return sharing.unseal(second.conf, "run-1", sealed["sealed"]["ctl02"], second.private, sealed["hashes"])

    count = 0
    for count in kill_points(work, "upgrader_node/production/sharing", 29):
        work()
        assert second.held("credential") == {"0": fernet("a"), "1": fernet("b")}
        for name in ("credential", "fernet"):
            (second.folder / f"{name}-keys").rename(second.folder / f"{name}-done-{count}")
        second.give(credential=[fernet("x")])
    assert count > 3
