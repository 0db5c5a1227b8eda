"""Everything an operator, a disk or a network can do to a rehearsal: a clear sentence, the documented exit code, nothing lost."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.rehearsal import STAGE, Rehearsal
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import wait_until

FRESH = (*STAGE, "--restart")
MODEL = Path("srv/salt/reclass")
ACCOUNTS = MODEL / "classes/mysql/client/database_upgrade/admin.yml"
REAL_TOOL = "/usr/bin/mariadb-backup"


@pytest.fixture(scope="module")
def rehearsal(lab: Lab) -> Rehearsal:
    return Rehearsal(lab)


@pytest.fixture(autouse=True)
def _sources_are_never_touched(rehearsal: Rehearsal) -> Iterator[None]:
    before = rehearsal.checksums()
    yield
    assert rehearsal.checksums() == before


@contextlib.contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with one text replaced, put back afterwards."""
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(content)


@contextlib.contextmanager
def stopped(node: Node, unit: str) -> Iterator[None]:
    node.run(["systemctl", "stop", unit])
    try:
        yield
    finally:
        node.run(["systemctl", "start", unit])


def refused(rehearsal: Rehearsal, code: int, *sentences: str) -> None:
    ran = rehearsal.run(*FRESH)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    last = ran.stderr.strip().splitlines()[-1]
    for sentence in sentences:
        assert sentence in last


def test_unknown_stage(rehearsal: Rehearsal) -> None:
    ran = rehearsal.run("control-plane", "--stage", "tset-upgrade")
    assert ran.returncode == 2
    assert "'tset-upgrade' is not one of 'test-upgrade', 'real-upgrade', 'rollback', 'finish'" in ran.stderr


@pytest.mark.soak
def test_unreachable_database(rehearsal: Rehearsal) -> None:
    with changed(rehearsal.cfg.root / ACCOUNTS, "port: 3306", "port: 3399"):
        refused(rehearsal, 3, "database at vip01.lab.local:3399 cannot be reached", "upgrader:databases:admin")


def test_wrong_password(rehearsal: Rehearsal) -> None:
    with changed(rehearsal.cfg.root / ACCOUNTS, "password: ${_param:mysql_upgrade_admin_password}", "password: wrong"):
        refused(
            rehearsal, 3, "database at vip01.lab.local:3306 refuses user upgrader (error 1045)", "correct the password"
        )


def test_minion_that_does_not_answer(rehearsal: Rehearsal) -> None:
    with stopped(rehearsal.upg, "salt-minion"):
        refused(
            rehearsal,
            3,
            "at step nodes-answer",
            "upg01.lab.local does not answer",
            "is the machine up and salt-minion running",
        )


def test_two_minions_of_one_id_are_named(rehearsal: Rehearsal) -> None:
    """A second process on the same machine; a cloned machine answers in the same way."""
    node, folder = rehearsal.dbs, "/etc/salt2"
    node.run(["cp", "-a", "/etc/salt", folder])
    own = {"pidfile": "/run/salt-minion2.pid", "pki_dir": f"{folder}/pki/minion", "log_file": "/var/log/salt/minion2"}
    own |= {"sock_dir": "/run/salt/minion2", "cachedir": "/var/cache/salt/minion2"}
    (node.root / "etc/salt2/minion.d/second.conf").write_text(json.dumps(own))
    node.run(["systemd-run", "--unit=second-minion", "/opt/salt/bin/salt-minion", "-c", folder])
    listening = ["ss", "-Htn", "dport", "=", ":4505"]
    try:
        wait_until(lambda: len(node.run(listening).stdout.splitlines()) == 2, 240, "the second minion to listen")
        refused(rehearsal, 3, "dbs01.lab.local answers twice: two minions have that id")
    finally:
        node.run(["systemctl", "stop", "second-minion"], check=False)
        node.run(["rm", "-rf", folder])


def test_master_that_is_down(rehearsal: Rehearsal) -> None:
    with stopped(rehearsal.cfg, "salt-master"):
        refused(rehearsal, 5, "is salt-master running?")
    rehearsal.wait_for_minions()


def test_stale_modules_on_a_node_are_replaced_and_a_master_that_serves_others_is_refused(rehearsal: Rehearsal) -> None:
    module = "modules/upgrader_clone.py"
    stale = '"""', '"""Of another version. '
    with changed(rehearsal.cfg.root / f"srv/salt/formulas/_{module}", *stale):
        with changed(rehearsal.upg.root / f"var/cache/salt/minion/extmods/{module}", *stale):
            refused(rehearsal, 3, "at step modules-current", "runs other Salt modules", "saltutil.sync_all")
        refused(rehearsal, 3, "at step formulas-served", "_modules/upgrader_clone.py")
    rehearsal.upg.run(["sed", "-i", "1s/^/# stale\\n/", f"/var/cache/salt/minion/extmods/{module}"])
    assert rehearsal.gets_past("modules-current", *FRESH)


def test_missing_pillar_key(rehearsal: Rehearsal) -> None:
    with changed(
        rehearsal.cfg.root / MODEL / "classes/nova/control/upgrade.yml",
        "name: nova${_param:openstack_database_suffix}",
        "nothing: nova",
    ):
        refused(rehearsal, 3, "upg01.lab.local lacks pillar key nova:controller:database:name")


def test_model_that_does_not_render(rehearsal: Rehearsal) -> None:
    with changed(
        rehearsal.cfg.root / MODEL / "nodes/upg01.lab.local.yml", "cluster.lab.common", "cluster.lab.nonsense"
    ):
        refused(rehearsal, 3, "pillar of", "cluster.lab.nonsense")


def test_source_that_is_not_at_mitaka(rehearsal: Rehearsal) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE nova.migrate_version SET version = 318")
        try:
            refused(rehearsal, 3, "database nova is at schema version 318, and the upgrade starts from 319")
        finally:
            cursor.execute("UPDATE nova.migrate_version SET version = 319")


def test_clone_name_that_somebody_else_uses(rehearsal: Rehearsal) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS upgrader CHARACTER SET utf8")
        cursor.execute("DROP DATABASE IF EXISTS nova_upgrade_cell0")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS upgrader.clones (name VARCHAR(64) NOT NULL PRIMARY KEY, run VARCHAR(80) NOT NULL, "
            "filled TINYINT NOT NULL DEFAULT 0, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
        cursor.execute("DELETE FROM upgrader.clones WHERE name = 'nova_upgrade_cell0'")
        cursor.execute("CREATE DATABASE nova_upgrade_cell0")
        cursor.execute("CREATE TABLE nova_upgrade_cell0.precious (x INT)")
        try:
            refused(
                rehearsal, 3, "at step clone-names", "database nova_upgrade_cell0 is there and was not made by upgrader"
            )
            cursor.execute("SELECT COUNT(*) FROM nova_upgrade_cell0.precious")
        finally:
            cursor.execute("DROP DATABASE nova_upgrade_cell0")


@pytest.mark.soak
def test_missing_nova_conf(rehearsal: Rehearsal) -> None:
    assert rehearsal.kill_at(FRESH, "nova-db-newton", "step-started")
    conf = rehearsal.upg.root / "etc/nova/nova.conf"
    content = conf.read_bytes()
    conf.unlink()
    ran = rehearsal.run("resume")
    assert ran.returncode == 1
    assert "/etc/nova/nova.conf does not exist" in ran.stderr.strip().splitlines()[-1]
    conf.write_bytes(content)
    conf.chmod(0o600)
    rehearsal.upg.run(["chown", "nova:nova", "/etc/nova/nova.conf"])
    assert rehearsal.gets_past("nova-db-newton")


def test_disk_full_at_the_backup_store(rehearsal: Rehearsal) -> None:
    store = "/srv/backup/upgrader"
    rehearsal.cfg.run(["mkdir", "-p", store])
    rehearsal.cfg.run(["mount", "-t", "tmpfs", "-o", "size=900M,mode=0700", "tmpfs", store])
    try:
        assert rehearsal.kill_at(FRESH, "backup-access", "step-started")
        rehearsal.cfg.run(["sh", "-c", f"head -c 900M /dev/zero > {store}/filler || true"])
        ran = rehearsal.run("resume")
        assert ran.returncode == 1
        last = ran.stderr.strip().splitlines()[-1]
        assert "at step backup-create" in last
        assert "No space left on device" in last
        rehearsal.cfg.run(["rm", f"{store}/filler"])
        assert rehearsal.gets_past("backup-prove")
    finally:
        rehearsal.cfg.run(["umount", store])


def test_store_without_room_is_a_gate(rehearsal: Rehearsal) -> None:
    store = "/srv/backup/upgrader"
    rehearsal.cfg.run(["mkdir", "-p", store])
    rehearsal.cfg.run(["mount", "-t", "tmpfs", "-o", "size=100M,mode=0700", "tmpfs", store])
    try:
        refused(rehearsal, 3, "backup store /srv/backup/upgrader has 104 MB free and needs")
    finally:
        rehearsal.cfg.run(["umount", store])


@contextlib.contextmanager
def wrapped_tool(nodes: Sequence[Node], script: str) -> Iterator[None]:
    """A backup tool in front of the real one that ends in its own way, on whichever node is chosen."""
    paths = [node.root / "usr/local/sbin/mariadb-backup" for node in nodes]
    for path in paths:
        path.write_text(f'#!/bin/bash\nif [ "$1" = --version ]; then exec {REAL_TOOL} --version; fi\n{script}\n')
        path.chmod(0o755)
    try:
        yield
    finally:
        for path in paths:
            path.unlink()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (f'{REAL_TOOL} "$@" | head -c 100000; kill -9 $$', "was killed by signal 9"),
        pytest.param(
            f'{REAL_TOOL} "$@"; echo "no more" >&2; exit 0', "without 'completed OK!'", marks=pytest.mark.soak
        ),
        pytest.param(f'{REAL_TOOL} "$@" | head -c 100000; exit 0', "backup not taken", marks=pytest.mark.soak),
        pytest.param(
            "echo 'mariabackup: Error: cannot open ./ibdata1' >&2; exit 1",
            "cannot open ./ibdata1",
            marks=pytest.mark.soak,
        ),
    ],
    ids=["killed in the pipe", "ends well without saying so", "cut short with exit code 0", "fails at once"],
)
def test_backup_process_that_dies_in_the_pipe(rehearsal: Rehearsal, script: str, sentence: str) -> None:
    with wrapped_tool(rehearsal.databases, script):
        ran = rehearsal.run(*FRESH)
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert "at step backup-create" in last
    if sentence == "was killed by signal 9":
        assert "backup not taken" in last
    else:
        assert sentence in last
    store = rehearsal.cfg.root / "srv/backup/upgrader"
    run_id = rehearsal.journals()[-1].stem
    assert not (store / run_id / "receipt.json").exists()
    assert not (store / run_id / "archive.zst").exists()


@pytest.mark.soak
def test_damaged_archive_is_not_restored(rehearsal: Rehearsal) -> None:
    assert rehearsal.kill_at(FRESH, "backup-prove", "step-started")
    archive = rehearsal.cfg.root / "srv/backup/upgrader" / rehearsal.journals()[-1].stem / "archive.zst"
    with archive.open("r+b") as file:
        file.seek(archive.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    ran = rehearsal.run("resume")
    assert ran.returncode == 1
    assert "it was changed since" in ran.stderr.strip().splitlines()[-1]


@pytest.mark.soak
def test_minion_killed_in_the_middle_of_a_step_is_found_out_and_made_good(rehearsal: Rehearsal) -> None:
    with rehearsal.started(*FRESH) as process:
        rehearsal.wait_for_event("nova-online-newton", "step-submitted", process)
        rehearsal.upg.run(["systemctl", "kill", "--signal=KILL", "salt-minion"])
        rehearsal.upg.run(["systemctl", "restart", "salt-minion"])
        assert process.wait(timeout=900) == 4, "the other services' steps are done first"
    ran = rehearsal.run("status")
    assert "which is in doubt: upg01.lab.local" in ran.stdout.splitlines()[0]
    assert re.search(r"nova-online-newton +in doubt", ran.stdout)
    assert rehearsal.gets_past("nova-online-newton")


def test_second_command_on_the_same_cloud_is_locked_out(rehearsal: Rehearsal) -> None:
    with rehearsal.started(*FRESH) as process:
        rehearsal.wait_for_event("nodes-answer", "step-started", process)
        ran = rehearsal.run(*STAGE)
        assert ran.returncode == 4
        assert "cloud lab is locked by process" in ran.stderr
    rehearsal.wait_for_idle_minions()
