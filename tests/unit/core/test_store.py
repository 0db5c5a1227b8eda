"""The receiving end of the backup store, run as sshd runs it, and receipts that tell the truth."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import upgrader_receipt

from upgrader.content import FORMULAS

RECEIVER = FORMULAS / "xtrabackup" / "files" / "upgrader-receive"
CONTENT = b"archive" * 1000


def ask(store: Path, words: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["/usr/bin/python3", str(RECEIVER), str(store)]
    return subprocess.run(command, input=content, capture_output=True, env={"SSH_ORIGINAL_COMMAND": words}, check=False)


def stored(store: Path) -> dict[str, object]:
    answer = json.loads(ask(store, "receive r1", CONTENT).stdout)
    return {"id": "r1", "proven": False, **answer}


def test_archive_is_no_backup_before_it_is_committed(tmp_path: Path) -> None:
    document = stored(tmp_path)
    assert document["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert json.loads(ask(tmp_path, "receipt r1").stdout) == {}
    with pytest.raises(upgrader_receipt.BadReceipt, match="never finished"):
        upgrader_receipt.verify(str(tmp_path), "r1")


def test_committed_backup_verifies_and_is_private(tmp_path: Path) -> None:
    committed = json.loads(ask(tmp_path, "commit r1", json.dumps(stored(tmp_path)).encode()).stdout)
    assert upgrader_receipt.verify(str(tmp_path), "r1") == committed
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "r1").iterdir()} == {0o600}


def test_receipt_of_other_bytes_is_not_committed(tmp_path: Path) -> None:
    answer = ask(tmp_path, "commit r1", json.dumps({**stored(tmp_path), "bytes": 3}).encode())
    assert answer.returncode == 1
    assert b"another size" in answer.stderr
    assert not (tmp_path / "r1" / "archive.zst").exists()


def test_finished_backup_is_never_overwritten(tmp_path: Path) -> None:
    ask(tmp_path, "commit r1", json.dumps(stored(tmp_path)).encode())
    answer = ask(tmp_path, "receive r1", b"other")
    assert answer.returncode == 1
    assert b"is there already" in answer.stderr


@pytest.mark.parametrize(
    "words", ["", "receive", "receive ../etc/passwd", "cat r1", "receive r1 r2", "receive .hidden", "sh -c id"]
)
def test_key_can_do_nothing_else(tmp_path: Path, words: str) -> None:
    answer = ask(tmp_path, words, b"x")
    assert answer.returncode == 1
    assert b"may only receive, commit or show" in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda archive: archive.write_bytes(CONTENT[:-1] + b"X"), "it was changed since"),
        (lambda archive: archive.write_bytes(CONTENT[:-1]), "cannot be used"),
        (lambda archive: archive.unlink(), "is gone"),
    ],
)
def test_damaged_archive_is_refused(tmp_path: Path, damage: object, complaint: str) -> None:
    ask(tmp_path, "commit r1", json.dumps(stored(tmp_path)).encode())
    damage(tmp_path / "r1" / "archive.zst")  # type: ignore[operator]
    with pytest.raises(upgrader_receipt.BadReceipt, match=complaint):
        upgrader_receipt.verify(str(tmp_path), "r1")
