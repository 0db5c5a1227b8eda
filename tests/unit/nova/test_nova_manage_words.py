"""What nova-manage 15.1.5 said on a real machine (``said/``), and what each of it means."""

from __future__ import annotations

from pathlib import Path

import pytest
from upgrader_node.nova import judgement
from upgrader_node.nova import nova_manage as manage
from upgrader_node.service import manage as service_manage
from upgrader_node.service.manage import Outcome

SAID = Path(__file__).parent / "said"
NOTHING_LEFT = {"flavors": 0, "keypairs": 0, "instances without request spec": 0}


def said(name: str, exit_code: int = 0) -> Outcome:
    return Outcome(
        "nova-manage something",
        exit_code,
        (SAID / f"{name}.txt").read_text(),
        "CryptographyDeprecationWarning: x\n  y\n",
        3.0,
    )


def test_a_summary_table_is_read_by_migration() -> None:
    found = {line.name: (line.matched, line.done) for line in manage.migrated(said("online-first"))}
    assert found["migrate_flavors"] == (8, 8)
    assert found["migrate_instances_add_request_spec"] == (740, 631)
    assert len(found) == 10


def test_without_a_table_the_batches_are_summed_up() -> None:
    text = (SAID / "online-first.txt").read_text().split("+---")[0]
    found = {line.name: line.done for line in manage.migrated(Outcome("x", -9, text, "", 1.0))}
    assert found["migrate_keypairs_to_api_db"] == 10


def test_idle_output_matches_rows_and_moves_none() -> None:
    found = manage.migrated(said("online-idle"))
    assert sum(line.done for line in found) == 0 and sum(line.matched for line in found) == 50
    assert judgement.judge_batch(said("online-idle"), NOTHING_LEFT, 0, 0) == (True, "left: nothing")


def test_a_migration_that_raised_fails_the_batch_although_nova_exits_0() -> None:
    ok, sentence = judgement.judge_batch(said("online-raising"), {"instances without request spec": 626}, 9, 1)
    assert not ok
    assert "migrate_instances_add_request_spec raised" in sentence and "626 instances without request spec" in sentence
    assert "nova bug 1830747" in sentence


def test_migrations_that_failed_before_334_are_all_named() -> None:
    assert manage.failed_migrations(said("online-before-334")) == [
        "migrate_instance_keypairs",
        "migrate_keypairs_to_api_db",
    ]


@pytest.mark.parametrize(
    ("name", "at", "wanted", "words", "remedy"),
    [
        ("sync-330-refuses", 329, 334, "3 unmigrated records in the compute_nodes table", "only Mitaka's own"),
        ("sync-345-refuses", 344, 347, "8 unmigrated flavors", "run online_data_migrations to its end first"),
        ("api-sync-030-refuses", 29, 31, "Cell mappings are not created", "create the cell beside it first"),
        ("sync-downgrade", 22, 31, "Function 'downgrade' is not defined", "past the version"),
        ("wrong-password", 319, 334, "1045", ""),
    ],
)
def test_a_crashed_sync_names_exception_version_and_remedy(
    name: str, at: int, wanted: int, words: str, remedy: str
) -> None:
    ok, sentence = judgement.judge_sync("nova_upgrade", said(name, 1), at, wanted)
    assert not ok and words in sentence and remedy in sentence and f"stays at {at} instead of {wanted}" in sentence


def test_a_traceback_is_a_failure_even_at_exit_0() -> None:
    assert not judgement.judge_sync("nova_upgrade", said("sync-345-refuses", 0), 347, 347)[0]


def test_a_clean_exit_with_the_old_version_is_a_failure() -> None:
    assert judgement.judge_sync("nova_upgrade", Outcome("nova-manage db sync", 0, "", "", 1.0), 334, 347)[0] is False


def test_warnings_on_stderr_are_no_failure() -> None:
    outcome = Outcome("nova-manage db sync", 0, manage.NO_CELL0_YET + "\n", "SAWarning: Unknown schema content\n", 1.0)
    assert judgement.judge_sync("nova_upgrade", outcome, 334, 334) == (True, "nova_upgrade is at 334")


def test_a_swallowed_cell0_error_is_found_in_the_text() -> None:
    ok, sentence = judgement.judge_cell0_sync(said("sync-cell0-missing"), "nova_upgrade_cell0", None, 347)
    assert not ok and "Unknown database 'neg_cell0'" in sentence and "exited 0" in sentence


def test_a_silent_cell0_at_the_wrong_version_is_a_failure() -> None:
    assert not judgement.judge_cell0_sync(
        Outcome("nova-manage db sync", 0, "", "", 1.0), "nova_upgrade_cell0", 215, 347
    )[0]


def test_exit_1_of_map_instances_is_a_crash_only_with_a_traceback() -> None:
    assert judgement.judge_exit(Outcome("nova-manage cell_v2 map_instances", 1, "", "", 1.0), (0, 1))[0]
    ok, sentence = judgement.judge_exit(said("map-unknown-cell", 1), (0, 1))
    assert not ok and "CellMappingNotFound" in sentence


def test_repeated_cells_are_known_by_their_words() -> None:
    assert manage.CELL0_THERE in said("cell0-twice").stdout
    assert manage.CELL_THERE in said("cell-twice", 2).stdout
    assert not judgement.judge_exit(said("no-transport", 1))[0]


def test_a_command_that_was_stopped_says_after_how_long() -> None:
    ok, sentence = judgement.judge_exit(Outcome("nova-manage db sync", service_manage.TIMED_OUT, "", "", 60.0))
    assert not ok and "was stopped after 60 s" in sentence and "printed nothing" in sentence


@pytest.mark.parametrize(
    ("current", "wanted", "needed"),
    [(7, 20, True), (20, 20, False), (22, 20, False), (None, 20, True), (31, 20, False)],
)
def test_a_sync_runs_only_upwards(current: int | None, wanted: int, needed: bool) -> None:
    assert judgement.sync_needed(current, wanted) is needed


def test_a_late_newton_counts_as_newton() -> None:
    assert judgement.already("nova_upgrade_api", 22, 20, ("newton", 22)).startswith(
        "nova_upgrade_api is at 22, past 20 (Newton's releases end at 20 to 22)"
    )
    assert "Newton" not in judgement.already("nova_upgrade_api", 31, 20, ("newton", 22))


@pytest.mark.parametrize(
    ("counts", "ok", "words"),
    [
        ({"instances": 9, "unmapped": 0, "without cell": 0, "markers": 0}, True, "all 9"),
        ({"instances": 9, "unmapped": 4, "without cell": 0, "markers": 1}, False, "4 of 9"),
        ({"instances": 9, "unmapped": 0, "without cell": 2, "markers": 0}, False, "set their cell_id"),
    ],
)
def test_mapping_is_judged_by_counts_and_by_null_cells(counts: dict[str, int], ok: bool, words: str) -> None:
    judged, sentence = judgement.judge_mapped(counts)
    assert judged is ok and words in sentence


def test_unmapped_hosts_fail_although_the_command_says_nothing() -> None:
    outcome = Outcome("nova-manage cell_v2 discover_hosts", 0, "", "", 1.0)
    ok, sentence = judgement.judge_hosts(outcome, ["cmp007"], {"hosts": 20, "mapped": 19, "elsewhere": 0})
    assert not ok and "cmp007" in sentence
    assert not judgement.judge_hosts(outcome, [], {"hosts": 20, "mapped": 20, "elsewhere": 1})[0]


def test_the_interpreter_is_read_from_the_scripts_first_line() -> None:
    assert (
        service_manage.interpreter("/opt/ocata/bin/nova-manage", "#!/opt/ocata/bin/python2.7\n")
        == "/opt/ocata/bin/python2.7"
    )
    assert service_manage.interpreter("/usr/bin/nova-manage", "#!/usr/bin/env python2\n") == "python2"
    with pytest.raises(ValueError, match="does not start with"):
        service_manage.interpreter("/x", "\x7fELF")


def test_a_command_runs_with_a_clean_environment_and_hidden_passwords() -> None:
    outcome = service_manage.run(["/usr/bin/env"], 10, secrets=("unused",), home="/var/lib/nova")
    assert outcome.exit_code == 0 and "OS_PASSWORD" not in outcome.stdout and "HOME=/var/lib/nova" in outcome.stdout
    assert "EVENTLET_NO_GREENDNS=yes" in outcome.stdout.split()
    outcome = service_manage.run(["/bin/cat"], 10, stdin="mysql+pymysql://u:p@ss/x@h/d and p@ss/x", secrets=("p@ss/x",))
    assert outcome.shown(outcome.stdout) == "mysql+pymysql://u:***@h/d and ***"


def test_a_command_past_its_time_is_killed_with_its_children() -> None:
    outcome = service_manage.run(["/bin/sh", "-c", "sleep 30 & wait"], 0.3)
    assert outcome.exit_code == service_manage.TIMED_OUT and outcome.seconds < 5
