"""The receiving end of the backup store, run as sshd runs it, and receipts that tell the truth."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from upgrader_node.backup import receipt as backup_receipt
from upgrader_node.errors import StepError

from upgrader.content import FORMULAS

RECEIVER = FORMULAS / "upgrader" / "backup" / "files" / "upgrader-receive"
CONTENT = b"archive" * 1000
CONTENTS = {"exact": True, "databases": {"nova": {"instances": {"rows": 3, "checksum": 7}}}}


def ask(store: Path, words: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["/usr/bin/python3", str(RECEIVER), str(store)]
    return subprocess.run(command, input=content, capture_output=True, env={"SSH_ORIGINAL_COMMAND": words}, check=False)


def stored(store: Path, **changes: object) -> bytes:
    """What a database node sends after it has sent the archive: the receipt, and what the tables held."""
    answer = json.loads(ask(store, "receive r1", CONTENT).stdout)
    receipt = {"id": "r1", "proven": False, **answer, **changes}
    return json.dumps({"receipt": receipt, "contents": CONTENTS}).encode()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished backup; each test works on a copy."""
    store = tmp_path_factory.mktemp("finished")
    ask(store, "commit r1", stored(store))
    return store


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "store")


def test_archive_is_no_backup_before_it_is_committed(tmp_path: Path) -> None:
    document = json.loads(stored(tmp_path))["receipt"]
    assert document["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert json.loads(ask(tmp_path, "receipt r1").stdout) == {}
    with pytest.raises(StepError, match="never finished"):
        backup_receipt.verify(str(tmp_path), "r1")


def test_committed_backup_verifies_and_is_private(tmp_path: Path) -> None:
    committed = json.loads(ask(tmp_path, "commit r1", stored(tmp_path)).stdout)
    assert backup_receipt.verify(str(tmp_path), "r1") == committed
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "r1").iterdir()} == {0o600}


def test_receipt_of_other_bytes_is_not_committed(tmp_path: Path) -> None:
    answer = ask(tmp_path, "commit r1", stored(tmp_path, bytes=3))
    assert answer.returncode == 1
    assert b"another size" in answer.stderr
    assert not (tmp_path / "r1" / "archive.zst").exists()


def test_finished_backup_is_never_overwritten(store: Path) -> None:
    answer = ask(store, "receive r1", b"other")
    assert answer.returncode == 1
    assert b"is there already" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        *("", "receive", "receive ../etc/passwd", "cat r1", "receive r1 r2", "receive .hidden", "sh -c id"),
        *("archive ../r1", "export r1", "export r1 ../receipt", "export r1 a b"),
    ],
)
def test_key_can_do_nothing_else(tmp_path: Path, words: str) -> None:
    answer = ask(tmp_path, words, b"x")
    assert answer.returncode == 1
    assert b"may only store a backup, or read a backup" in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda archive: archive.write_bytes(CONTENT[:-1] + b"X"), "it was changed since"),
        (lambda archive: archive.write_bytes(CONTENT[:-1]), "cannot be used"),
        (lambda archive: archive.unlink(), "is gone"),
    ],
)
def test_damaged_archive_is_refused(store: Path, damage: object, complaint: str) -> None:
    damage(store / "r1" / "archive.zst")  # type: ignore[operator]
    with pytest.raises(StepError, match=complaint):
        backup_receipt.verify(str(store), "r1")


def test_own_nodes_read_a_backup_back(store: Path) -> None:
    exports = store / "r1" / "export"
    exports.mkdir()
    (exports / "nova.tar.zst").write_bytes(b"tablespaces")
    assert ask(store, "archive r1").stdout == CONTENT
    assert ask(store, "export r1 nova").stdout == b"tablespaces"
    assert json.loads(ask(store, "contents r1").stdout) == CONTENTS


def test_archive_of_an_unfinished_backup_is_not_given_out(tmp_path: Path) -> None:
    stored(tmp_path)
    (tmp_path / "r1" / "archive.partial").rename(tmp_path / "r1" / "archive.zst")
    answer = ask(tmp_path, "archive r1")
    assert answer.returncode == 1
    assert answer.stdout == b""
    assert b"no finished backup" in answer.stderr


def test_second_sender_of_one_backup_is_refused_while_the_first_is_connected(tmp_path: Path) -> None:
    first = subprocess.Popen(
        ["/usr/bin/python3", str(RECEIVER), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"SSH_ORIGINAL_COMMAND": "receive r1"},
    )
    assert first.stdin is not None
    first.stdin.write(CONTENT)
    first.stdin.flush()
    deadline = time.monotonic() + 5
    while not (tmp_path / "r1" / "archive.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    second = ask(tmp_path, "receive r1", b"other")
    answer, _ = first.communicate()
    assert second.returncode == 1
    assert b"still connected" in second.stderr
    assert json.loads(answer)["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_commit_cut_off_before_the_receipt_can_be_done_again(tmp_path: Path) -> None:
    document = stored(tmp_path)
    (tmp_path / "r1" / "archive.partial").rename(tmp_path / "r1" / "archive.zst")
    committed = json.loads(ask(tmp_path, "commit r1", document).stdout)
    assert backup_receipt.verify(str(tmp_path), "r1") == committed
