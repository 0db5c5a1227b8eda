"""The smoke test of transport ssh: a lab without Salt, five nodes behind an sshd each. Under three minutes; ``./test.sh ssh``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.rehearsal import STAGE, Rehearsal
from upgrader.lab import Lab
from upgrader.lab.contents.salt_keys import ssh_key_pair
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator

NAME = os.environ.get("UPGRADER_LAB_TEST_NAME", "citestssh")
CREATE = ("backup", "create")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    the = Lab(NAME, narrator=Narrator())
    the.down()
    the.up(instances=10, profile="ssh")
    try:
        yield the
    finally:
        the.down()


@pytest.fixture(scope="module")
def site(lab: Lab) -> Rehearsal:
    return Rehearsal(lab)


def test_no_salt_runs_on_any_node(lab: Lab) -> None:
    for node in lab.nodes():
        running = node.run(["ps", "-eo", "args"]).stdout
        assert "salt-m" not in running and "salt-minion" not in running


@contextmanager
def without_sshd(node: Node) -> Iterator[None]:
    node.run(["systemctl", "stop", "ssh"])
    try:
        yield
    finally:
        node.run(["systemctl", "start", "ssh"])


@contextmanager
def other_host_key(node: Node) -> Iterator[None]:
    """The machine shows another key than the one that was written down, as a new one would, or somebody between."""
    place = node.root / "etc/ssh/ssh_host_ed25519_key"
    kept = place.read_text()
    place.write_text(ssh_key_pair().private)
    node.run(["systemctl", "restart", "ssh"])
    try:
        yield
    finally:
        place.write_text(kept)
        node.run(["systemctl", "restart", "ssh"])


def test_machines_out_of_reach_refuse_the_stage_with_a_sentence_each(site: Rehearsal) -> None:
    with without_sshd(site.databases[1]), other_host_key(site.databases[2]):
        ran = site.run(*CREATE)
    assert ran.returncode == 3, ran.stdout + ran.stderr
    said = ran.stdout + ran.stderr
    assert "dbs02.lab.local: nothing answers at dbs02.lab.local port 22" in said
    assert "dbs03.lab.local: dbs03.lab.local port 22 has another host key than /etc/upgrader-known-hosts says" in said
    begun = {row["step"] for row in site.journal() if row["event"] == "step-started"}
    assert "nodes-answer" in begun and not begun & {"store-ready", "backup-access", "backup-create"}


def test_backup_whose_command_is_killed_is_taken_up_and_taken_once(site: Rehearsal) -> None:
    before = site.checksums()
    assert site.kill_at(CREATE, "backup-create", "step-submitted", 0.3)
    assert site.step_in_doubt() == "backup-create"
    ran = site.run("resume")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    started = [row for row in site.journal() if row["event"] == "step-started" and row["step"] == "backup-create"]
    assert len(started) == 1
    assert len(list((site.cfg.root / "srv/backup/upgrader").glob("2*Z-*"))) == 1
    assert site.checksums() == before


def test_nothing_that_is_secret_is_left_on_the_machines_or_open_to_others(site: Rehearsal) -> None:
    secret = site.cfg.run(["cat", "/srv/salt/reclass/classes/cluster/lab/secrets.yml"]).stdout
    words = [
        line.split(":", 1)[1].strip().strip("'\"") for line in secret.splitlines() if "password" in line and ":" in line
    ]
    words = [word for word in words if len(word) > 8]
    assert words
    for node in (site.cfg, *site.databases):
        jobs = node.root / "var/lib/upgrader-ssh" / node.plan.minion_id / "jobs"
        files = [path for path in jobs.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if any(word in path.read_text(errors="replace") for word in words)] == []
        assert oct(Path(jobs).stat().st_mode & 0o777) == "0o700"


@pytest.mark.soak
def test_live_databases_are_asked_all_questions(site: Rehearsal) -> None:
    ran = site.run("preflight")
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.soak
def test_whole_rehearsal_passes_without_a_master(site: Rehearsal) -> None:
    ran: subprocess.CompletedProcess[str] = site.run(*STAGE, timeout=1800)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "finished, all 74 steps done" in ran.stdout
