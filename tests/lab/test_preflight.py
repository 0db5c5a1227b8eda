"""``upgrader preflight`` and the gate of the same name on a live cloud: everything that would stop the upgrade, days ahead."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.rehearsal import STAGE, Rehearsal
from upgrader.lab import Lab

MEMBER = (
    "SELECT m.instance_id FROM nova.instance_group_member m JOIN nova.instances i ON i.uuid = m.instance_id "
    "WHERE i.deleted = 0 AND m.deleted = 0 AND i.vm_state <> 'soft-delete' ORDER BY m.id LIMIT 1"
)


@pytest.fixture(scope="module")
def rehearsal(lab: Lab) -> Rehearsal:
    return Rehearsal(lab)


@contextlib.contextmanager
def planted(rehearsal: Rehearsal, *pairs: tuple[str, str]) -> Iterator[dict[str, str]]:
    """Statements that break the source cloud, each with the one that mends it. Gives the checksums while it is broken."""
    with contextlib.closing(rehearsal.connect()) as connection, connection.cursor() as cursor:
        for damage, _ in pairs:
            assert cursor.execute(damage), damage
        try:
            yield rehearsal.checksums()
        finally:
            for _, remedy in reversed(pairs):
                cursor.execute(remedy)


@pytest.fixture
def grouped_member_without_spec(rehearsal: Rehearsal) -> Iterator[str]:
    """A live member of a server group, as booted before Mitaka: its request spec is kept aside meanwhile."""
    member = str(rehearsal.scalar(MEMBER))
    with contextlib.closing(rehearsal.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE nova_api.kept AS SELECT * FROM nova_api.request_specs WHERE instance_uuid = %s",
            (member,),
        )
        cursor.execute("DELETE FROM nova_api.request_specs WHERE instance_uuid = %s", (member,))
        try:
            yield member
        finally:
            cursor.execute("INSERT INTO nova_api.request_specs SELECT * FROM nova_api.kept")
            cursor.execute("DROP TABLE nova_api.kept")


def documents(rehearsal: Rehearsal, *words: str) -> tuple[int, dict[str, Any]]:
    ran = rehearsal.run("preflight", "-o", "json", *words)
    return ran.returncode, json.loads(ran.stdout)


def test_healthy_cloud_passes_and_no_run_is_begun(rehearsal: Rehearsal) -> None:
    runs, before = rehearsal.journals(), rehearsal.checksums()
    code, document = documents(rehearsal)
    assert code == 0
    assert document["schema"] == "upgrader.preflight/1"
    assert [f for f in document["findings"] if f["severity"] == "blocker"] == []
    assert rehearsal.journals() == runs
    assert rehearsal.checksums() == before


def test_deep_preflight_has_live_rows_judged_by_the_upgrade_nodes_code(rehearsal: Rehearsal) -> None:
    """Nothing but nova itself can say that a network cache which is JSON is none."""
    first = rehearsal.scalar("SELECT MIN(id) FROM nova.instance_info_caches WHERE deleted = 0")
    kept = str(rehearsal.scalar(f"SELECT network_info FROM nova.instance_info_caches WHERE id = {first}"))
    kept = kept.replace("\\", "\\\\").replace("'", "''")
    row = "UPDATE nova.instance_info_caches SET network_info = '{}' WHERE id = " + str(first)
    with planted(rehearsal, (row.format("[7]"), row.replace("{}", "%s") % kept)) as broken:
        code, document = documents(rehearsal, "--deep")
        assert rehearsal.checksums() == broken
    blockers = [finding for finding in document["findings"] if finding["severity"] == "blocker"]
    assert code == 3
    assert [(finding["id"], finding["count"]) for finding in blockers] == [("probed-info-caches", 1)]
    assert document["probed"]["nova.flavors"] > 100 and document["probed"]["heat.events"]


@pytest.mark.soak
def test_blockers_are_all_named_and_the_stage_is_refused_before_anything_moves(rehearsal: Rehearsal) -> None:
    host = (
        "UPDATE nova.compute_nodes SET uuid = NULL WHERE id = 1",
        "UPDATE nova.compute_nodes SET uuid = @kept WHERE id = 1",
    )
    kept = rehearsal.scalar("SELECT uuid FROM nova.compute_nodes WHERE id = 1")
    extra = "SELECT flavor FROM nova.instance_extra WHERE deleted = 0 ORDER BY id LIMIT 1"
    flavor = str(rehearsal.scalar(extra)).replace("\\", "\\\\").replace("'", "''")
    first = rehearsal.scalar("SELECT MIN(id) FROM nova.instance_extra WHERE deleted = 0")
    damage = (
        f"UPDATE nova.instance_extra SET flavor = '{{broken' WHERE id = {first}",
        f"UPDATE nova.instance_extra SET flavor = '{flavor}' WHERE id = {first}",
    )
    healthy = rehearsal.checksums()
    with planted(rehearsal, (host[0], host[1].replace("@kept", f"'{kept}'")), damage) as broken:
        code, document = documents(rehearsal)
        assert code == 3
        blockers = json.dumps([f for f in document["findings"] if f["severity"] == "blocker"])
        assert "compute" in blockers
        assert "flavor" in blockers
        ran = rehearsal.run(*STAGE, "--restart")
        assert ran.returncode == 3
        assert "at step preflight, which failed" in ran.stderr
        begun = [line["step"] for line in rehearsal.journal() if line["event"] == "step-started"]
        assert "preflight" in begun and "backup-create" not in begun
        assert rehearsal.checksums() == broken
    assert rehearsal.checksums() == healthy


def test_silent_backup_node_is_named(rehearsal: Rehearsal) -> None:
    rehearsal.cfg.run(["systemctl", "stop", "salt-minion"])
    try:
        ran = rehearsal.run("preflight")
    finally:
        rehearsal.cfg.run(["systemctl", "start", "salt-minion"])
    assert ran.returncode == 3
    assert "cfg01.lab.local does not answer" in " ".join(ran.stdout.split())


def test_server_group_repair_is_opt_in(rehearsal: Rehearsal, grouped_member_without_spec: str) -> None:
    refused = rehearsal.run(*STAGE, "--restart")
    assert refused.returncode == 3
    assert "--repair-server-groups" in refused.stderr


@pytest.mark.soak
def test_server_group_repair_keeps_the_members(rehearsal: Rehearsal, grouped_member_without_spec: str) -> None:
    assert rehearsal.gets_past("verify-nova", *STAGE, "--restart", "--repair-server-groups")
    specs = f"SELECT COUNT(*) FROM nova_upgrade_api.request_specs WHERE instance_uuid = '{grouped_member_without_spec}'"
    members = f"SELECT COUNT(*) FROM nova_upgrade_api.instance_group_member WHERE instance_uuid = '{grouped_member_without_spec}'"
    assert [rehearsal.scalar(query) for query in (specs, members)] == [1, 1]
