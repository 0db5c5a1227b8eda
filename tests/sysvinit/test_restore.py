"""Backup, place, restore and founding on a node without systemd, through the real loader, a real sshd and init scripts.

The node stands in for Ubuntu 14.04: Debian 12 with sysvinit as its init, MariaDB 10.11 and mariabackup; without systemctl,
without zstd, and with an sshd_config that includes no folder.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.backup_node import BackupNode, open_to_the_stores_user

SOCKET = Path("/run/mysqld/mysqld.sock")
OPTIONS = Path("/etc/mysql/mariadb.conf.d/91-test.cnf")
NODE = "backup.lab.local"
ALONE = "[mariadbd]\nlog_error = /var/log/mysql/error.log\n"
CLUSTER = (
    ALONE + "wsrep_on = ON\nwsrep_provider = /usr/lib/galera/libgalera_smm.so\nwsrep_cluster_name = old\n"
    "wsrep_cluster_address = gcomm://10.20.0.21\nwsrep_node_address = 10.20.0.21\nwsrep_sst_method = mariabackup\n"
    "binlog_format = ROW\ninnodb_autoinc_lock_mode = 2\n"
)


@dataclass
class Case:
    """One kind of server, its node, and the receipt of a proven backup that its databases have left since."""

    node: BackupNode
    receipt: dict[str, Any]
    run: str


def service(*words: str) -> None:
    subprocess.run(["service", "mariadb", *words], stdout=subprocess.DEVNULL, timeout=120, check=True)


def ask(statement: str) -> list[Any]:
    connection = pymysql.connect(unix_socket=str(SOCKET), user="root", autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> BackupNode:
    assert Path("/proc/1/comm").read_text().strip() == "init"
    open_to_the_stores_user(tmp_path_factory.getbasetemp())
    made = BackupNode(tmp_path_factory.mktemp("node"), [], "localhost", 3306, SOCKET)
    made.sync()
    made.prepare()
    return made


@pytest.fixture(scope="module", params=["alone", "cluster"])
def case(request: pytest.FixtureRequest, node: BackupNode) -> Iterator[Case]:
    kind = str(request.param)
    OPTIONS.write_text(CLUSTER if kind == "cluster" else ALONE)
    service("bootstrap" if kind == "cluster" else "start")
    for name in ("shop", "later"):
        ask(f"DROP DATABASE IF EXISTS {name}")
    ask("CREATE DATABASE shop")
    ask("CREATE TABLE shop.orders (id INT PRIMARY KEY, words VARCHAR(20)) ENGINE=InnoDB")
    ask("INSERT INTO shop.orders VALUES (1, 'a'), (2, 'b')")
    node.call("upgrader_backup.create", receipt=f"before-{kind}")
    node.call("upgrader_store.prove", receipt=f"before-{kind}")
    ask("DELETE FROM shop.orders WHERE id = 1")
    ask("CREATE DATABASE later")
    receipt = node.call("upgrader_store.require_proven", receipt=f"before-{kind}")["receipt"]
    yield Case(node, receipt, f"run-{kind}")
    service("stop")
    for left in Path("/var/lib").glob("mysql.before-*"):
        subprocess.run(["rm", "-r", str(left)], check=True)


def test_service_of_the_database_is_an_init_script(case: Case) -> None:
    assert case.node.call("service.available", "mariadb")
    assert "service.show" not in case.node.call("sys.list_functions", "service")


def test_backup_went_through_rules_in_sshds_own_file(case: Case) -> None:
    text = Path("/etc/ssh/sshd_config").read_text()
    assert text.count("Match User upgrader-backup\n    AuthorizedKeysFile /etc/ssh/upgrader_backup_keys\n") == 1
    assert text.rstrip().endswith("Match all\n# end of upgrader")
    assert list(Path("/etc/ssh/sshd_config.d").glob("*upgrader*")) == []
    assert "restrict" not in Path("/etc/ssh/upgrader_backup_keys").read_text()
    states = case.node.apply("upgrader.backup.server")
    assert {name: state["changes"] for name, state in states.items() if state["changes"]} == {}


def test_node_without_zstd_packs_with_gzip(case: Case) -> None:
    archive = case.node.store / case.receipt["id"] / "archive.zst"
    assert case.receipt["compression"] == "gzip"
    assert archive.read_bytes()[:2] == b"\x1f\x8b"


def test_nothing_stands_in_the_way_of_a_restore(case: Case) -> None:
    findings = case.node.call("upgrader_restore.check", receipt=case.receipt, members=1)["findings"]
    assert [finding for finding in findings if finding["severity"] == "blocker"] == []


def test_what_would_be_done_is_said_in_this_nodes_words(case: Case) -> None:
    actions = case.node.call("upgrader_restore.intended", receipt=case.receipt, run=case.run, founder=NODE)["actions"]
    assert ("service mariadb bootstrap" if case.receipt["galera"] else "start mariadb") in actions
    assert "stop mariadb (now active), last of all" in actions


def test_restore_puts_the_node_back_to_its_backup(case: Case) -> None:
    restore, receipt, run = case.node.call, case.receipt, case.run
    assert restore("upgrader_restore.place", receipt=receipt)["changed"]
    assert restore("upgrader_restore.stop", run=run)["comment"] == "stopped"
    assert subprocess.run(["pgrep", "mariadbd"], stdout=subprocess.DEVNULL).returncode == 1
    assert restore("upgrader_restore.swap", receipt=receipt, run=run, founder=NODE)["changed"]
    started = restore("upgrader_restore.found", receipt=receipt, run=run)
    assert started["comment"].startswith("founded in" if receipt["galera"] else "started in")
    assert ask("SELECT * FROM shop.orders ORDER BY id") == [(1, "a"), (2, "b")]
    assert ("later",) not in ask("SHOW DATABASES")
    verified = restore("upgrader_restore.verify", receipt=receipt, run=run, members=1)
    assert verified["findings"] == []
    if receipt["galera"]:
        assert ask("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'")[0][1] == "Primary"


def test_second_founding_finds_the_server_at_work(case: Case) -> None:
    before = ask("SHOW GLOBAL STATUS LIKE 'Uptime'")
    case.node.call("upgrader_restore.found", receipt=case.receipt, run=case.run)
    assert int(ask("SHOW GLOBAL STATUS LIKE 'Uptime'")[0][1]) >= int(before[0][1])


@pytest.mark.parametrize("case", ["alone"], indirect=True)  # the same init script: once is enough
def test_server_that_does_not_start_is_told_with_its_own_words(case: Case) -> None:
    service("stop")
    patience = Path("/etc/default/mariadb")
    patience.write_text("MYSQLD_STARTUP_TIMEOUT=2\n")
    broken = Path("/etc/mysql/mariadb.conf.d/92-broken.cnf")
    broken.write_text("[mariadbd]\nno_such_option = 1\n")
    try:
        with pytest.raises(
            CommandExecutionError, match=r"mariadb cannot be started|does not (start|found the cluster)"
        ):
            case.node.call("upgrader_restore.found", receipt=case.receipt, run=case.run, timeout=60)
    finally:
        broken.unlink()
        patience.unlink()
        service("start")
