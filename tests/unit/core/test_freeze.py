"""The words of every backup tool around the moment that counts, through a real pipe: a stand-in says what xtrabackup says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from upgrader_node.backup import backup_tool
from upgrader_node.database import contents, freeze, galera
from upgrader_node.host import pipeline

STAND_IN = Path(__file__).resolve().parents[2] / "support" / "xtrabackup_stand_in.py"
XTRABACKUP = backup_tool.TOOLS[-1]
OLDER_MARIABACKUP = (
    b"[00] 2017-08-01 10:00:00 Acquiring BACKUP LOCKS...\n",
    b"[00] 2017-08-01 10:00:00 Starting to backup non-InnoDB tables and files\n",
    b"[00] 2017-08-01 10:00:00 Executing FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS...\n",
    b"[00] 2017-08-01 10:00:00 mariabackup: The latest check point (for incremental): '1'\n",
)


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Callable[..., contents.Moment]:
    def made(said_before_it: list[bytes], *seqnos: int | None) -> contents.Moment:
        """A view that writes down what the tool had said when it was opened."""
        answers = list(seqnos)
        connection = create_autospec(Connection, instance=True)
        connection.cursor.return_value = create_autospec(Cursor, instance=True)
        monkeypatch.setattr(galera, "position", lambda _: said_before_it.append(b"|") or answers.pop(0))
        return contents.Moment(connection, ())

    return made


def through_a_pipe(moment: contents.Moment, folder: Path, said: list[bytes], *options: str) -> pipeline.Ended:
    command = [sys.executable, str(STAND_IN), "--backup", "--stream=xbstream", f"--target-dir={folder}", *options]

    def watch(read: Callable[[], bytes], ready: Callable[[], bool]) -> None:
        def reading() -> bytes:
            said.append(read())
            return said[-1]

        moment.watch(reading, ready)

    ended, passed, _, _ = pipeline.pump([command], [["cat"]], 30, watch)
    assert passed == len(b"a few bytes of a backup")
    return ended[0]


def test_view_is_opened_while_xtrabackup_holds_the_read_lock(
    tmp_path: Path, view: Callable[..., contents.Moment]
) -> None:
    said: list[bytes] = []
    moment = view(said, 518, 518)
    ended = through_a_pipe(moment, tmp_path, said, *XTRABACKUP.options, "--galera-info")
    before = b"".join(said).partition(b"|")[0]
    assert b"Executing FLUSH TABLES WITH READ LOCK" in before
    assert b"UNLOCK" not in before
    assert "UNLOCK TABLES" in ended.words
    assert moment.judge(ended.words) == 518
    assert backup_tool.succeeded(ended.words)


def test_server_that_committed_beside_xtrabackups_lock_is_noticed(
    tmp_path: Path, view: Callable[..., contents.Moment]
) -> None:
    said: list[bytes] = []
    moment = view(said, 518, 519)
    ended = through_a_pipe(moment, tmp_path, said, *XTRABACKUP.options)
    with pytest.raises(contents.ContentsLost, match="let the server go on"):
        moment.judge(ended.words)


def test_lock_that_lets_innodb_commit_is_not_believed(tmp_path: Path, view: Callable[..., contents.Moment]) -> None:
    said: list[bytes] = []
    moment = view(said)
    ended = through_a_pipe(moment, tmp_path, said)
    assert "LOCK TABLES FOR BACKUP" in ended.words
    with pytest.raises(contents.ContentsLost, match=r"a lock that lets InnoDB commit.*--no-backup-locks"):
        moment.judge(ended.words)


def test_tool_that_never_stops_commits_is_told_apart() -> None:
    blocks = [b"copying\n", b"completed OK!\n", b""]
    assert freeze.wait(lambda: blocks.pop(0)) is None


def test_mariabackup_before_10_6_holds_its_locks_when_it_flushes() -> None:
    blocks = list(OLDER_MARIABACKUP)
    said = freeze.wait(lambda: blocks.pop(0))
    assert said == freeze.Frozen(True, b"...\n")
    assert blocks == [OLDER_MARIABACKUP[-1]]


@pytest.mark.parametrize(
    ("tool", "server", "belongs"),
    [
        ("xtrabackup version 2.4.29 based on MySQL server 5.7.44 Linux", "5.6.24", True),
        ("xtrabackup version 2.3.10 based on MySQL server 5.6.24 Linux", "5.6.35-wsrep", True),
        ("xtrabackup version 2.3.10 based on MySQL server 5.6.24 Linux", "5.7.20", False),
        ("xtrabackup version 2.4.29 based on MySQL server 5.7.44 Linux", "5.7.20-log", True),
        ("xtrabackup version 2.4.29 based on MySQL server 5.7.44 Linux", "10.0.38-MariaDB-0ubuntu0.16.04.1", True),
        ("xtrabackup version 2.4.29 based on MySQL server 5.7.44 Linux", "10.1.48-MariaDB", False),
        ("xtrabackup version 8.0.35 based on MySQL server 8.0.35 Linux", "5.6.24", False),
        ("mariabackup based on MariaDB server 10.1.48-MariaDB debian-linux-gnu", "10.1.48-MariaDB", True),
        ("mariadb-backup based on MariaDB server 10.11.14-MariaDB debian-linux-gnu", "10.5.23-MariaDB", False),
        ("", "5.6.24", False),
        ("", "", False),
    ],
)
def test_each_tool_belongs_to_its_own_servers(tool: str, server: str, belongs: bool) -> None:
    assert backup_tool.belongs(tool, server) is belongs


@pytest.mark.parametrize(
    ("server", "wanted"),
    [
        ("5.6.24", "percona-xtrabackup 2.3 or percona-xtrabackup 2.4"),
        ("5.7.20", "percona-xtrabackup 2.4"),
        ("10.0.38-MariaDB", "percona-xtrabackup 2.3 or percona-xtrabackup 2.4"),
        ("10.1.48-MariaDB", "mariadb-backup of series 10.1"),
    ],
)
def test_remedy_names_the_tool_that_belongs_to_the_server(server: str, wanted: str) -> None:
    assert backup_tool.wanted(server) == wanted


def test_what_the_stand_in_answers_for_its_version_is_understood() -> None:
    ended = pipeline.run([[sys.executable, str(STAND_IN), "--version"]], timeout=30)[0]
    assert backup_tool.named(ended.words) == "xtrabackup 2.4"


def test_complaint_names_innodbs_cause_before_the_tools_own_last_line() -> None:
    words = (
        "2026-11-29  2:18:10 0 [ERROR] InnoDB: Invalid log header checksum\n"
        "[00] 2026-11-29 02:18:10 Error: cannot read redo log header\n"
    )
    assert backup_tool.last_complaint(words) == (
        "InnoDB: Invalid log header checksum; [00] 2026-11-29 02:18:10 Error: cannot read redo log header"
    )
    assert backup_tool.unlucky(words)
