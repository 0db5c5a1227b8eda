"""Backup, receipt, proof and clone through the real loader, a real sshd and a real server; under every supported Salt."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
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
CLONES = {
    "shop_upgrade": "nova",
    "shop_upgrade_api": "nova_api",
    "shop_upgrade_old": "shop_old",
    "shop_upgrade_flags": "shop_flags",
}
NAMES = [*CLONES, "shop_upgrade_cell0", "shop_upgrade_trigger"]
# Databases beside nova's that a real server may hold; each statement is run in its own database.
OTHERS = {
    "shop_old": (
        "CREATE TABLE parent (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20)) ENGINE=InnoDB",
        "CREATE TABLE child (id INT PRIMARY KEY, parent INT NOT NULL, CONSTRAINT `old` FOREIGN KEY (parent) REFERENCES parent (id))",
        "INSERT INTO parent (name) VALUES ('a'), ('b')",
        "INSERT INTO child VALUES (1, 1), (2, 2)",
    ),
    # No column of variable length: its checksum depends on whether its row format is said.
    "shop_flags": (
        "CREATE TABLE flags (id INT PRIMARY KEY, raised TINYINT(1) NOT NULL DEFAULT 0)",
        "INSERT INTO flags VALUES (1, 0), (2, 1)",
    ),
    "shop_trigger": (
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id",
        "INSERT INTO t VALUES (1), (2)",
    ),
    "shop_view": ("CREATE TABLE t (id INT)", "CREATE VIEW v AS SELECT id FROM t"),
    "shop_parts": ("CREATE TABLE t (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2",),
    "shop_myisam": ("CREATE TABLE t (id INT) ENGINE=MyISAM",),
    "shop_text": ("CREATE TABLE t (id INT PRIMARY KEY, words TEXT, FULLTEXT (words))",),
    "shop_virtual": ("CREATE TABLE t (id INT PRIMARY KEY, twice INT AS (id * 2) VIRTUAL)",),
}
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


def _make(bench: Bench, name: str, statements: tuple[str, ...]) -> None:
    """``shop_old`` as a server made it whose default row format was another one: its tables do not say theirs."""
    bench.query(f"DROP DATABASE IF EXISTS {name}")
    bench.query(f"CREATE DATABASE {name}")
    connection = pymysql.connect(unix_socket=str(SOCKET), user="root", database=name, autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_default_row_format = " + ("compact" if name == "shop_old" else "dynamic"))
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET GLOBAL innodb_default_row_format = dynamic")


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
    for name, statements in OTHERS.items():
        _make(bench, name, statements)
    node.call("saltutil.sync_all")
    node._caller = None
    yield node
    for name in (*NAMES, *OTHERS, "upgrader"):
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


def clone(node: Node, backup: str, clones: dict[str, str]) -> dict[str, Any]:
    """Export, then fill by whatever way the export says; answers what the export said."""
    export: dict[str, Any] = node.call("upgrader_export.create", receipt=backup, databases=list(clones.values()))
    node.call("upgrader_tablespace.load", receipt=backup, clones=clones, exports=export["exports"])
    node.call("upgrader_clone.fill", receipt=backup, clones=clones, logical=export["logical"])
    return export


def sums(node: Node, database: str) -> dict[str, Any]:
    """Checksum of every table, asked with a client of our own."""
    tables = node.bench.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'",
        (database,),
    )
    return {table: node.bench.query(f"CHECKSUM TABLE {database}.`{table}` EXTENDED")[0][1] for (table,) in tables}


def test_clones_by_tablespaces_hold_what_the_backup_holds(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = clone(node, backup, CLONES)
    assert export["logical"] == []
    for name, source in CLONES.items():
        assert sums(node, name) == sums(node, source) != {}
    compared = node.call("upgrader_tablespace.compare", receipt=backup, clones=CLONES, members=1)
    assert compared["findings"] == []


@pytest.mark.heavy
def test_clones_keep_foreign_keys_counters_and_the_old_row_format(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clone(node, backup, CLONES)
    made = node.bench.query("SHOW CREATE TABLE shop_upgrade_old.child")[0][1]
    assert "REFERENCES `parent` (`id`)" in made
    with pytest.raises(pymysql.err.IntegrityError):
        node.bench.query("INSERT INTO shop_upgrade_old.child VALUES (9, 99)")
    node.bench.query("INSERT INTO shop_upgrade_old.parent (name) VALUES ('c')")
    assert node.bench.number("SELECT MAX(id) FROM shop_upgrade_old.parent") == 3
    for database in ("shop_old", "shop_upgrade_old"):
        formats = node.bench.query(
            f"SELECT DISTINCT row_format FROM information_schema.tables WHERE table_schema = '{database}'"
        )
        assert formats == [("Compact",)]


@pytest.mark.heavy
def test_full_clone_is_not_filled_again(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = clone(node, backup, CLONES)
    again = node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=export["exports"])
    assert again["changed"] is False


@pytest.mark.heavy
@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE shop_upgrade_old.child DISCARD TABLESPACE",
        "DROP TABLE shop_upgrade_old.child",
        "UPDATE shop_upgrade_old.parent SET name = 'z'",
    ],
)
def test_clone_that_a_cut_off_call_left_half_filled_is_filled_anew(node: Node, backup: str, damage: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = clone(node, backup, CLONES)
    node.bench.query("SET SESSION foreign_key_checks = 0")
    node.bench.query(damage)
    Path("/var/lib/mysql/shop_upgrade_old/left.ibd").write_bytes(b"x")
    again = node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=export["exports"])
    assert again["comment"].startswith("filled shop_upgrade_old in ")
    assert sums(node, "shop_upgrade_old") == sums(node, "shop_old")


@pytest.mark.heavy
def test_clone_that_differs_from_the_backup_is_a_blocker(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clone(node, backup, CLONES)
    node.bench.query("INSERT INTO shop_upgrade_old.parent (name) VALUES ('more')")
    found = node.call("upgrader_tablespace.compare", receipt=backup, clones=CLONES, members=1)["findings"]
    assert [finding["what"] for finding in found] == ["on backup.lab.local shop_upgrade_old.parent has 3 rows, not 2"]


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


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("shop_trigger", "it has triggers"),
        ("shop_view", "v is a view"),
        ("shop_parts", "table t is partitioned"),
        ("shop_myisam", "table t is MyISAM, not InnoDB"),
        ("shop_text", "it has fulltext or spatial indexes"),
        ("shop_virtual", "it has generated columns"),
    ],
)
def test_database_that_tablespaces_cannot_copy_goes_by_dump_and_load(
    node: Node, backup: str, database: str, why: str
) -> None:
    answer = node.call("upgrader_export.create", receipt=backup, databases=[database])
    assert answer["logical"] == [database]
    assert f"{database} by dump and load, because {why}" in answer["comment"]


@pytest.mark.heavy
def test_clone_by_dump_and_load_holds_what_the_backup_holds(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clones = {"shop_upgrade_trigger": "shop_trigger"}
    assert clone(node, backup, clones)["logical"] == ["shop_trigger"]
    assert sums(node, "shop_upgrade_trigger") == sums(node, "shop_trigger")
    again = node.call("upgrader_clone.fill", receipt=backup, clones=clones, logical=["shop_trigger"])
    assert again["changed"] is False
    assert node.call("upgrader_tablespace.compare", receipt=backup, clones=clones, members=1)["findings"] == []


def test_export_that_was_damaged_on_the_way_is_not_taken_in(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = node.call("upgrader_export.create", receipt=backup, databases=list(CLONES.values()))
    exports = {**export["exports"], "nova": {**export["exports"]["nova"], "sha256": "0" * 64}}
    with pytest.raises(CommandExecutionError, match="export of nova is not what was exported"):
        node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=exports)
    assert sums(node, "shop_upgrade") == {}


def test_database_of_another_run_is_never_filled(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run="another-run", names=NAMES)
    export = node.call("upgrader_export.create", receipt=backup, databases=list(CLONES.values()))
    with pytest.raises(CommandExecutionError, match=f"shop_upgrade.* was not made by run {backup}"):
        node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=export["exports"])


@pytest.mark.heavy
def test_dropping_the_clones_of_a_run_drops_nothing_else(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run="run-a", names=["shop_upgrade", "shop_upgrade_api"])
    node.call("upgrader_clone.create", run="run-b", names=["shop_upgrade_api"])
    node.bench.query("CREATE DATABASE IF NOT EXISTS somebodys_upgrade")
    try:
        assert node.call("upgrader_clone.drop", run="run-a")["comment"] == "dropped shop_upgrade"
        there = {row[0] for row in node.bench.query("SELECT schema_name FROM information_schema.schemata")}
        assert {"shop_upgrade_api", "somebodys_upgrade", "nova"} <= there
        assert "shop_upgrade" not in there
    finally:
        node.bench.query("DROP DATABASE somebodys_upgrade")


@pytest.mark.heavy
def test_contents_are_those_of_the_moment_although_rows_are_written(node: Node, backup: str) -> None:
    """Writers go on all the time: the proof compares every table with the view opened at the backup's end."""
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(done,))
    writer.start()
    try:
        for _ in range(3):
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
    node.pillar["xtrabackup"]["server"]["full_backups_to_keep"] = 1
    node.write()
    node.call("upgrader_store.prune", protected=[backup, made[0]])
    assert {receipt["id"] for receipt in node.call("upgrader_store.receipts")} == {backup, made[0], made[2]}
    assert not (node.store / made[1]).exists()


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
    for module in ("backup", "store", "clone", "node", "progress", "export", "tablespace", "galera"):
        documented = node.call("sys.doc", f"upgrader_{module}")
        assert documented
        assert all("CLI Example" in text for text in documented.values()), documented
