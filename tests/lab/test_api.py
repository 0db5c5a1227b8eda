"""Transport api in the lab: a backup through salt-api over TLS, whose command is killed and taken up, beside the master's own door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rehearsal import Rehearsal
from tests.support.salt_api_lab import through_salt_api
from upgrader.lab import Lab

pytestmark = pytest.mark.soak  # what salt-api does is seen in tests/functional every day


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Rehearsal]:
    the = Rehearsal(lab)
    with through_salt_api(the):
        yield the


def test_backup_through_salt_api_whose_command_is_killed_is_taken_up_and_taken_once(site: Rehearsal) -> None:
    before = site.checksums()
    assert site.kill_at(("backup", "create"), "backup-create", "step-submitted", 0.3)
    assert site.step_in_doubt() == "backup-create"
    ran = site.run("resume")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    started = [row for row in site.journal() if row["event"] == "step-started" and row["step"] == "backup-create"]
    assert len(started) == 1
    assert site.checksums() == before


def test_run_that_was_begun_at_the_master_goes_on_through_salt_api(site: Rehearsal) -> None:
    assert site.kill_at(("--transport", "master", "backup", "create"), "backup-create", "step-submitted", 0.3)
    ran = site.run("resume")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_whole_rehearsal_passes_through_salt_api(site: Rehearsal) -> None:
    ran = site.run("control-plane", "--stage", "test-upgrade", timeout=1800)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "finished, all 74 steps done" in ran.stdout
