"""Backup, receipt, proof and clone through the real loader, a real sshd and a real server; under every supported Salt."""

from __future__ import annotations

import contextlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import salt.client
import salt.config
from salt.exceptions import CommandExecutionError

from tests.functional.bench import DUMPS, REPOSITORY, SOCKET, Bench

PASSWORD = "adm@in/%:#pw"
CLONES = {"shop_upgrade": "nova", "shop_upgrade_api": "nova_api"}
NAMES = [*CLONES, "shop_upgrade_cell0"]
STATES = ("xtrabackup.server", "xtrabackup.client")


class Node:
    """One masterless minion that is backup node and database node at once."""

    def __init__(self, root: Path, bench: Bench) -> None:
        self.root, self.store, self.bench = root, root / "store", bench
        root.chmod(0o755)
        for folder in ("pillar", "cache", "pki", "minion"):
            (root / folder).mkdir()
        self.pillar = self._pillar()
        self._caller: Any = None
        self.write()

    def _pillar(self) -> dict[str, Any]:
        key = self.root / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        subprocess.run(["ssh-keygen", "-A"], check=True, capture_output=True)
        host = Path("/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        users = [{"name": "shop_upgrade", "password": PASSWORD, "host": "%"}]
        admin = {"host": self.bench.host, "port": self.bench.port, "user": "shop_admin", "password": PASSWORD}
        target = {"host": "localhost", "host_key": " ".join(host[:2]), "private_key": key.read_text()}
        public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
        return {
            "mysql": {
                "client": {"server": {"upgrade": {"admin": admin, "database": {n: {"users": users} for n in NAMES}}}}
            },
            "xtrabackup": {
                "server": {"backup_dir": str(self.store), "key": {"bench": {"enabled": True, "key": public}}},
                "client": {"target": target},
            },
        }

    def write(self) -> None:
        (self.root / "pillar" / "top.sls").write_text("base:\n  '*':\n    - all\n")
        (self.root / "pillar" / "all.sls").write_text(json.dumps(self.pillar))
        self._caller = None

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        if self._caller is None:
            config = self.root / "minion" / "minion"
            settings = {
                "id": "backup.lab.local", "file_client": "local", "root_dir": str(self.root), "cachedir": str(self.root / "cache"),
                "pki_dir": str(self.root / "pki"), "file_roots": {"base": [str(REPOSITORY / "formulas")]}, "state_events": False,
                "pillar_roots": {"base": [str(self.root / "pillar")]}, "log_file": str(self.root / "minion.log"),
                "fileserver_backend": ["roots"],
            }  # fmt: skip
            config.write_text(json.dumps(settings))
            self._caller = salt.client.Caller(mopts=dict(salt.config.minion_config(str(config))))
        return self._caller.cmd(function, *args, **kwargs)

    def apply(self, sls: str, **kwargs: Any) -> dict[str, dict[str, Any]]:
        answer = self.call("state.apply", sls, **kwargs)
        assert isinstance(answer, dict), answer
        return {state["__id__"]: state for state in answer.values()}


@pytest.fixture(scope="module")
def node(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    assert DUMPS.exists() and SOCKET.exists()
    for folder in tmp_path_factory.getbasetemp().parents:
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    tmp_path_factory.getbasetemp().chmod(0o755)
    node = Node(tmp_path_factory.mktemp("backup"), bench)
    for host in ("%", "localhost"):
        bench.query(f"CREATE OR REPLACE USER shop_admin@'{host}' IDENTIFIED BY {bench.connection.escape(PASSWORD)}")
        bench.query(f"GRANT ALL ON *.* TO shop_admin@'{host}' WITH GRANT OPTION")
    node.call("saltutil.sync_all")
    node._caller = None
    yield node
    for name in (*NAMES, "upgrader"):
        bench.query(f"DROP DATABASE IF EXISTS {name}")
    bench.query("DROP USER IF EXISTS shop_admin@'%', shop_admin@localhost, shop_upgrade@'%'")


@pytest.fixture(scope="module")
def backup(node: Node) -> str:
    """A proven backup."""
    for sls in STATES:
        states = node.apply(sls)
        assert all(state["result"] for state in states.values()), states
    identity = f"run-{uuid.uuid4().hex[:8]}"
    node.call("upgrader_backup.create", receipt=identity)
    node.call("upgrader_store.prove", receipt=identity, databases=["nova", "nova_api"])
    return identity


@pytest.mark.parametrize("sls", STATES)
def test_state_in_test_mode_changes_nothing(node: Node, sls: str) -> None:
    states = node.apply(sls, test=True)
    assert not node.store.exists() or sls != "xtrabackup.server"
    assert not [name for name, state in states.items() if state["result"] is False]


@pytest.mark.parametrize("sls", STATES)
def test_state_applied_twice_changes_nothing(node: Node, backup: str, sls: str) -> None:
    assert {name: state["changes"] for name, state in node.apply(sls).items() if state["changes"]} == {}


def test_private_key_is_neither_readable_nor_shown(node: Node, backup: str) -> None:
    assert Path("/etc/upgrader/backup_key").stat().st_mode & 0o777 == 0o600
    Path("/etc/upgrader/backup_key").unlink()
    shown = str(node.apply("xtrabackup.client"))
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


def test_clones_hold_what_the_backup_holds(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    node.call("upgrader_clone.fill", receipt=backup, clones=CLONES)
    for clone, source in CLONES.items():
        for table in ("instances", "flavors", "request_specs", "migrate_version"):
            if node.bench.number(
                f"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='{source}' AND table_name='{table}'"
            ):
                sums = [node.bench.query(f"CHECKSUM TABLE {database}.{table}")[0][1] for database in (clone, source)]
                assert sums[0] == sums[1]
    assert node.call("upgrader_clone.fill", receipt=backup, clones=CLONES)["changed"] is False


def test_account_of_the_clones_can_use_them_and_nothing_else(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    connection = pymysql.connect(host=node.bench.host, port=node.bench.port, user="shop_upgrade", password=PASSWORD)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        assert {row[0] for row in cursor.fetchall()} - {"information_schema"} == set(NAMES)


def test_database_that_is_not_ours_is_never_dropped(node: Node, backup: str) -> None:
    node.bench.query("CREATE DATABASE somebodys_upgrade")
    node.pillar["mysql"]["client"]["server"]["upgrade"]["database"]["somebodys_upgrade"] = {
        "users": [{"name": "x", "password": "y"}]
    }
    node.write()
    try:
        with pytest.raises(CommandExecutionError, match="somebodys_upgrade is there and was not made by upgrader"):
            node.call("upgrader_clone.create", run=backup, names=["somebodys_upgrade"])
        assert node.bench.query(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'somebodys_upgrade'"
        )
    finally:
        node.bench.query("DROP DATABASE somebodys_upgrade")


def test_production_name_is_no_clones_name(node: Node, backup: str) -> None:
    node.pillar["mysql"]["client"]["server"]["upgrade"]["database"]["nova"] = {
        "users": [{"name": "x", "password": "y"}]
    }
    node.write()
    with pytest.raises(CommandExecutionError, match="nova is no clone's name"):
        node.call("upgrader_clone.create", run=backup, names=["nova"])


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
            node.call("upgrader_clone.fill", receipt=backup, clones={"shop_upgrade": "nova"})
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
    admin = node.pillar["mysql"]["client"]["server"]["upgrade"]["admin"]
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
    for module in ("backup", "store", "clone", "node", "progress"):
        documented = node.call("sys.doc", f"upgrader_{module}")
        assert documented
        assert all("CLI Example" in text for text in documented.values()), documented
