"""A database password may be a word that the tools say themselves: it must change no verdict, and still be shown nowhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
from upgrader_node.errors import StepError
from upgrader_node.nova import bulk, judgement, nova_manage, nova_status
from upgrader_node.schema.session import judged
from upgrader_node.service import manage
from upgrader_node.service.manage import Outcome

RAISED = (
    "Running batches of 2000 until complete\nError attempting to run <function migrate_flavors at 0x7f0>\n"
    "+-----------------+--------------+-----------+\n| migrate_flavors | 8 | 0 |\n"
)
STATUS = (
    "+-----+\n| Upgrade Check Results |\n+-----+\n| Check: Placement API |\n| Result: Failure |\n"
    "| Details: No credentials specified for placement API in nova.conf. |\n+-----+\n"
)


def ended(said: str, secrets: Sequence[str], exit_code: int = 0) -> Outcome:
    """What a real program said, run as the services' tools are, with these passwords to be hidden."""
    script = f"import sys; sys.stdout.write(sys.stdin.read()); sys.exit({exit_code})"
    return manage.run(
        [sys.executable, "-S", "-E", "-c", script], 20, said, "nova-manage db online_data_migrations", secrets
    )


@pytest.mark.parametrize("password", ["run", "function", "Error", "attempting", "migrate_flavors"])
def test_a_migration_that_raised_is_a_failure_whatever_the_password(password: str) -> None:
    outcome = ended(RAISED, [password])
    assert nova_manage.failed_migrations(outcome) == ["migrate_flavors"]
    assert judgement.judge_batch(outcome, {"flavors": 8}, 0, 0)[0] is False


@pytest.mark.parametrize("password", ["flavors", "migrate", "---"])
def test_the_table_of_migrated_rows_is_whole_whatever_the_password(password: str) -> None:
    (line,) = nova_manage.migrated(ended("| migrate_flavors | 8 | 5 |\n", [password]))
    assert (line.name, line.matched, line.done) == ("migrate_flavors", 8, 5)


@pytest.mark.parametrize("password", ["Traceback", "most recent", "call", "recent call last"])
def test_a_crash_at_exit_0_is_a_crash_whatever_the_password(password: str) -> None:
    crash = "Traceback (most recent call last):\n  File x\nKeyError: 'x'\n"
    assert judgement.judge_exit(ended(crash, [password]))[0] is False
    with pytest.raises(StepError, match="KeyError"):
        judged(ended(crash, [password]))


@pytest.mark.parametrize("password", ["1060", "Duplicate"])
def test_the_remedy_of_a_half_done_migration_is_named_whatever_the_password(password: str) -> None:
    with pytest.raises(StepError, match="fill the copy again"):
        judged(ended("ERROR: (1060, \"Duplicate column name 'x'\")\n", [password], 1))


@pytest.mark.parametrize("password", ["cell0", "ERROR", "access"])
def test_a_swallowed_cell0_error_is_seen_whatever_the_password(password: str) -> None:
    outcome = ended("ERROR: Could not access cell0.\nError: no s3cret access\n", [password, "s3cret"])
    reason = nova_manage.cell0_error(outcome)
    assert reason and "s3cret" not in reason
    assert judgement.judge_cell0_sync(outcome, "nova_upgrade_cell0", 347, 347)[0] is False


@pytest.mark.parametrize("password", ["specs", "died", "left"])
def test_a_workers_result_is_read_whatever_the_password(password: str) -> None:
    result = '{"specs": 7, "keypairs": 0, "left": {}, "memory": 1024, "died": 0}\n'
    assert bulk.judge_worker(ended(result, [password])).made["request specs"] == 7


@pytest.mark.parametrize("password", ["Placement", "Failure", "credentials", "nova.conf"])
def test_nova_status_is_read_whatever_the_password(password: str) -> None:
    checks = nova_status.checks(ended(STATUS, [password], 2))
    assert [(check.name, check.result) for check in checks] == [("Placement API", "Failure")]
    assert [item["severity"] for item in nova_status.findings(checks, placement=False)] == ["warning"]


def test_keystones_answer_is_read_whatever_the_password() -> None:
    outcome = ended("keystone-manage: error: unrecognized arguments: --check\n", ["arguments"], 2)
    assert "unrecognized arguments" in outcome.stdout


PASSWORD = "n@v/a%41"


@pytest.mark.parametrize(
    "said",
    ["ValueError: bad URL mysql+pymysql://nova:n%40v%2Fa%2541@dbs01/nova", "OperationalError: denied for n@v/a%41"],
)
def test_no_sentence_and_no_representation_shows_a_password(said: str) -> None:
    outcome = ended(f"Traceback (most recent call last):\n{said}\n", [PASSWORD], 1)
    sentences = [
        judgement.failure(outcome),
        judgement.judge_sync("nova_upgrade", outcome, 7, 20)[1],
        judgement.judge_batch(outcome, {}, 0, 0)[1],
        manage.last_words(outcome),
        repr(outcome),
        str(outcome),
        f"{outcome}",
        repr([outcome]),
        bulk.judge_worker(outcome).said,
    ]
    with pytest.raises(StepError) as caught:
        judged(outcome)
    for text in [*sentences, str(caught.value)]:
        assert "n@v/a%41" not in text and "n%40v%2Fa%2541" not in text
    assert "***" in judgement.failure(outcome)


def test_what_nova_status_and_cell0_say_of_themselves_hides_passwords() -> None:
    table = STATUS.replace("No credentials", f"No {PASSWORD} credentials")
    (check,) = nova_status.checks(ended(table, [PASSWORD], 2))
    assert PASSWORD not in check.details and PASSWORD not in repr(check)
    refused = f'{{"refused": "the installed nova is {PASSWORD}"}}\n'
    assert PASSWORD not in bulk.judge_worker(ended(refused, [PASSWORD], 3)).said


def test_the_output_stands_in_no_traceback() -> None:
    """Python shows the code of a frame and never its values; the outcome's own text is what could carry it."""
    script = (
        "from upgrader_node.service.manage import Outcome\n"
        "outcome = Outcome('x', 1, 'n@v/a', 'n@v/a', 1.0, ('n@v/a',))\nraise RuntimeError(outcome)"
    )
    folder = next(path for path in sys.path if path.endswith("_utils"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={"PYTHONPATH": folder})
    assert (
        "RuntimeError: Outcome('x', 1, 1.0 s)" in done.stderr
        and "n@v/a" not in done.stderr.partition("RuntimeError:")[2]
    )
