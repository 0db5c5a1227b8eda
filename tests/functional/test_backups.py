"""Backup, receipt and proof through the real loader, a real sshd and a real server; under every supported Salt."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.host import lock

from tests.conftest import SOAK
from tests.functional.backup_node import PASSWORD, STATES
from tests.functional.bench import SOCKET
from tests.functional.minion import SALT_CALL, until
from tests.functional.shop import CLONES, NAMES, Node, clone


@pytest.mark.parametrize("sls", STATES)
def test_state_in_test_mode_changes_nothing(node: Node, sls: str) -> None:
    states = node.apply(sls, test=True)
    assert not node.store.exists() or sls != "upgrader.backup.server"
    assert not [name for name, state in states.items() if state["result"] is False]


@pytest.mark.parametrize("sls", STATES)
def test_state_applied_twice_changes_nothing(node: Node, backup: str, sls: str) -> None:
    assert {name: state["changes"] for name, state in node.apply(sls).items() if state["changes"]} == {}


def test_private_key_is_neither_readable_nor_shown(node: Node, backup: str) -> None:
    assert Path("/etc/upgrader/backup_key").stat().st_mode & 0o777 == 0o600
    Path("/etc/upgrader/backup_key").unlink()
    shown = str(node.apply("upgrader.backup.client"))
    assert "PRIVATE KEY" not in shown


def test_receipt_tells_bytes_and_hash_of_the_archive(node: Node, backup: str) -> None:
    receipt = next(r for r in node.call("upgrader_store.receipts") if r["id"] == backup)
    archive = node.store / backup / "archive.zst"
    digest = subprocess.run(["sha256sum", str(archive)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert (receipt["bytes"], receipt["sha256"]) == (archive.stat().st_size, digest)
    assert receipt["proven"]
    assert archive.stat().st_mode & 0o777 == 0o600


def test_same_backup_is_not_taken_twice(node: Node, backup: str) -> None:
    answer = node.call("upgrader_backup.create", receipt=backup)
    assert answer["changed"] is False


def test_counts_are_those_of_the_source(node: Node, backup: str) -> None:
    counts = json.loads((node.store / backup / "counts.json").read_text())
    assert counts["nova"]["instances"]["total"] == node.bench.number("SELECT COUNT(*) FROM nova.instances") > 0
    assert counts["nova"]["instances"]["live"] == node.bench.number(
        "SELECT COUNT(*) FROM nova.instances WHERE deleted = 0"
    )


@contextlib.contextmanager
def _tool_that_ends_at_once(folder: Path, times: int) -> Iterator[Path]:
    """A mariadb-backup that cannot read the redo log's head so many times, in the words of 10.11, and then is the real one."""
    beginnings = folder / "beginnings"
    script = Path("/usr/local/bin/mariadb-backup")
    script.write_text(
        "#!/bin/bash\n"
        f'case " $* " in *" --backup "*) echo >> {beginnings} ;; *) exec /usr/bin/mariadb-backup "$@" ;; esac\n'
        f'[ "$(wc -l < {beginnings})" -gt {times} ] && exec /usr/bin/mariadb-backup "$@"\n'
        'echo "[00] 2026-11-29 02:18:10 Error: cannot read redo log header" >&2\n'
        "exit 1\n"
    )
    script.chmod(0o755)
    try:
        yield beginnings
    finally:
        script.unlink()


@pytest.mark.parametrize(("times", "begun"), [(1, 2), (9, 3)])
def test_tool_that_met_a_write_to_the_redo_logs_head_is_begun_again_a_few_times(
    node: Node, backup: str, tmp_path: Path, times: int, begun: int
) -> None:
    identity = f"run-{uuid.uuid4().hex[:8]}"
    with _tool_that_ends_at_once(tmp_path, times) as beginnings:
        if times < begun:
            node.call("upgrader_backup.create", receipt=identity)
            assert node.call("upgrader_store.prove", receipt=identity)["receipt"]["proven"]
        else:
            with pytest.raises(
                CommandExecutionError, match=r"exit code 1 and without 'completed OK!': .*redo log header"
            ):
                node.call("upgrader_backup.create", receipt=identity)
        assert beginnings.read_text().count("\n") == begun


@pytest.mark.heavy
def test_imported_tables_are_in_the_next_backup(node: Node, backup: str) -> None:
    """Until InnoDB's next checkpoint mariabackup takes them for dropped and says "completed OK!"."""
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clone(node, backup, CLONES)
    identity = f"run-{uuid.uuid4().hex[:8]}"
    node.call("upgrader_backup.create", receipt=identity)
    node.call("upgrader_store.prove", receipt=identity)
    held = json.loads((node.store / identity / "contents.json").read_text())["databases"]
    assert held["shop_upgrade_old"]["child"]["rows"] == 2


@pytest.mark.heavy
def test_contents_are_those_of_the_moment_although_rows_are_written(node: Node, backup: str) -> None:
    """Writers go on all the time: the proof compares every table with the view opened at the backup's end."""
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(done,))
    writer.start()
    try:
        for _ in range(3 if SOAK else 1):
            identity = f"run-{uuid.uuid4().hex[:8]}"
            node.call("upgrader_backup.create", receipt=identity)
            assert node.call("upgrader_store.prove", receipt=identity)["receipt"]["proven"]
    finally:
        done.set()
        writer.join()
    rows = json.loads((node.store / identity / "contents.json").read_text())["databases"]["shop_old"]["parent"]["rows"]
    assert 2 < rows < node.bench.number("SELECT COUNT(*) FROM shop_old.parent")


def _write(done: threading.Event) -> None:
    connection = pymysql.connect(unix_socket=str(SOCKET), user="root", autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        while not done.is_set():
            cursor.execute("INSERT INTO shop_old.parent (name) VALUES ('written')")


def test_backup_that_differs_from_its_source_is_not_proven(node: Node, backup: str) -> None:
    path = node.store / backup / "contents.json"
    text = path.read_text()
    held = json.loads(text)
    held["databases"]["nova"]["instances"]["rows"] += 1
    path.write_text(json.dumps(held))
    try:
        with pytest.raises(
            CommandExecutionError, match=r"differs from what its source held: nova.instances has \d+ rows"
        ):
            node.call("upgrader_store.prove", receipt=backup)
    finally:
        path.write_text(text)


@pytest.mark.heavy
def test_unproven_backup_and_one_of_another_cloud_are_refused(node: Node, backup: str) -> None:
    identity = f"run-{uuid.uuid4().hex[:8]}"
    node.call("upgrader_backup.create", receipt=identity, cloud="prague")
    with pytest.raises(CommandExecutionError, match="was never proven"):
        node.call("upgrader_store.require_proven", receipt=identity)
    node.call("upgrader_store.prove", receipt=identity)
    assert node.call("upgrader_store.require_proven", receipt=identity, cloud="prague")["receipt"]["proven"]
    with pytest.raises(CommandExecutionError, match="is of cloud prague, this is cloud vienna"):
        node.call("upgrader_store.require_proven", receipt=identity, cloud="vienna")


@pytest.mark.heavy
def test_pruning_keeps_the_newest_and_what_is_protected(node: Node, backup: str) -> None:
    made = []
    for _ in range(3):
        made.append(f"run-{uuid.uuid4().hex[:8]}")
        node.call("upgrader_backup.create", receipt=made[-1])
        time.sleep(1.1)
    before = [receipt["id"] for receipt in node.call("upgrader_store.receipts")]
    planned = node.call("upgrader_store.prune", keep=1, protected=[backup, made[0]], dry_run=True)
    assert made[1] in planned["removed"]
    assert [receipt["id"] for receipt in node.call("upgrader_store.receipts")] == before
    node.pillar["upgrader"]["backup"]["server"]["full_backups_to_keep"] = 1
    node.write()
    node.call("upgrader_store.prune", protected=[backup, made[0]])
    assert {receipt["id"] for receipt in node.call("upgrader_store.receipts")} == {backup, made[0], made[2]}
    assert not (node.store / made[1]).exists()


def test_prepared_copy_that_is_gone_is_made_again(node: Node, backup: str) -> None:
    node.call("upgrader_store.remove_scratch", receipt=backup)
    folder = Path(node.call("upgrader_store.prepared", receipt=backup))
    assert (folder / "prepared").exists()
    assert node.call("upgrader_store.remove_scratch", receipt=backup)["changed"] is True
    assert not folder.exists()


def test_backup_that_was_never_proven_is_not_used(node: Node, backup: str) -> None:
    receipt = node.store / backup / "receipt.json"
    text = receipt.read_text()
    receipt.write_text(json.dumps({**json.loads(text), "proven": False}))
    try:
        with pytest.raises(CommandExecutionError, match="was never proven"):
            node.call("upgrader_store.remove_scratch", receipt=backup)
            node.call("upgrader_export.create", receipt=backup, databases=["nova"])
    finally:
        receipt.write_text(text)


def test_backup_without_the_wanted_database_is_refused(node: Node, backup: str) -> None:
    with pytest.raises(CommandExecutionError, match="the backup holds no database glance"):
        node.call("upgrader_store.prove", receipt=backup, databases=["glance"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"password": "wrong"}, r"refuses user shop_admin \(error 1045\)"),
        ({"port": 3399}, r"cannot be reached \(error 2003\)"),
    ],
)
def test_admin_that_cannot_log_in_gets_one_sentence(node: Node, change: dict[str, Any], complaint: str) -> None:
    admin = node.pillar["upgrader"]["databases"]["admin"]
    before = dict(admin)
    admin.update(change)
    node.write()
    try:
        with pytest.raises(CommandExecutionError, match=complaint) as refused:
            node.call("upgrader_clone.check_source", versions={"nova": 319})
        assert PASSWORD not in str(refused.value)
    finally:
        admin.update(before)
        node.write()


def test_every_function_is_loaded_and_documented(node: Node) -> None:
    for module in ("backup", "store", "clone", "node", "progress", "export", "tablespace", "galera"):
        documented = node.call("sys.doc", f"upgrader_{module}")
        assert documented
        assert all("CLI Example" in text for text in documented.values()), documented


class Beside:
    """A call in a process of its own, as a job of the minion is, stopped while its scratch server runs."""

    def __init__(self, node: Node, backup: str, function: str, **arguments: Any) -> None:
        self.folder = node.store / "scratch" / backup
        words = [f"{name}={json.dumps(value)}" for name, value in arguments.items()]
        command = [
            str(SALT_CALL),
            "--local",
            "--config-dir",
            str(node.root / "minion"),
            "--out",
            "json",
            function,
            *words,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until(lambda: lock.owner(lock.STORE) and self.server(), f"{function} at work with its scratch server")
        self.process.send_signal(signal.SIGSTOP)

    def server(self) -> int:
        """The process of the scratch server on this backup's copy, 0 when there is none."""
        wanted = f"--datadir={self.folder}".encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if wanted in path.read_bytes().split(b"\0"):
                    return int(path.parent.name)
        return 0

    def answer(self) -> Any:
        self.process.send_signal(signal.SIGCONT)
        said, _ = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, said
        return json.loads(said[said.index("{") :])["local"]


@pytest.fixture
def proving(node: Node, backup: str) -> Iterator[Beside]:
    """``upgrader_export.create``, stopped in the middle of it."""
    node.call("upgrader_store.remove_scratch", receipt=backup)
    beside = Beside(node, backup, "upgrader_export.create", receipt=backup, databases=["nova", "nova_api"])
    yield beside
    if beside.process.poll() is None:
        beside.process.kill()
    beside.process.wait()


SECONDS = {
    "upgrader_export.create": {"databases": ["shop_old"]},
    "upgrader_clone.fill": {"clones": {"shop_upgrade_trigger": "shop_trigger"}, "logical": ["shop_trigger"]},
    "upgrader_store.prove": {},
    "upgrader_store.remove_scratch": {},
}


@pytest.mark.heavy
def test_a_second_call_that_needs_the_scratch_server_is_refused_and_the_first_is_unharmed(
    node: Node, backup: str, proving: Beside
) -> None:
    server = proving.server()
    owner = rf"in use by upgrader_export\.create of run {backup} \(process {proving.process.pid}, since "
    for function, arguments in SECONDS.items():
        with pytest.raises(CommandExecutionError, match=owner):
            node.call(function, receipt=backup, **arguments)
    assert proving.server() == server
    assert set(proving.answer()["exports"]) == {"nova", "nova_api"}


@pytest.mark.heavy
def test_the_store_is_free_at_once_after_its_call_was_killed(node: Node, backup: str, proving: Beside) -> None:
    proving.process.kill()
    proving.process.wait()
    assert proving.server(), "the scratch server should have outlived its call"
    assert node.call("upgrader_export.create", receipt=backup, databases=["shop_old"])["changed"] is True
    assert not proving.server()


@pytest.mark.heavy
def test_clones_are_made_by_one_call_at_a_time(node: Node, backup: str) -> None:
    """The first waits for the server, which holds a table that it wants to write to."""
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    words = ["upgrader_clone.create", "run=first", f"names={json.dumps(NAMES)}"]
    command = [str(SALT_CALL), "--local", "--config-dir", str(node.root / "minion"), "--out", "json", *words]
    node.bench.query("LOCK TABLES upgrader.clones READ")
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until(lambda: lock.owner(lock.CLONES), "upgrader_clone.create at work")
        for function in ("upgrader_clone.create", "upgrader_clone.drop"):
            with pytest.raises(CommandExecutionError, match=r"in use by upgrader_clone\.create of run first \(process"):
                node.call(function, run="second", **({"names": NAMES} if function.endswith("create") else {}))
    finally:
        node.bench.query("UNLOCK TABLES")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert {row[0] for row in node.bench.query("SELECT run FROM upgrader.clones")} == {"first"}
