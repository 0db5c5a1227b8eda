"""The nova-manage steps that change schemas and rows, as an operator should run them: look, run, judge, look again.

``Session`` holds what a step needs; the loader module builds it. Every mutating step runs inside ``exclusively``, so
two upgrades of the same databases keep apart, and nothing starts while the server still works for a lost client.
"""

import contextlib
import json
import typing

import upgrader_database
import upgrader_exclusive
import upgrader_manage
import upgrader_nova_bulk
import upgrader_nova_judgement as judgement
import upgrader_nova_manage
import upgrader_nova_rows
import upgrader_nova_walk
from upgrader_conf import StepError
from upgrader_nova_target import Target

Answer = typing.Dict[str, typing.Any]
HOME = upgrader_nova_manage.HOME


class Session(typing.NamedTuple):
    """One upgrade at work: its target, a database connection, and how nova-manage is called on this node."""

    target: Target
    connection: typing.Any
    nova_manage: str
    python: str
    lock_file: str
    patience: float = 3600.0

    def versions(self) -> typing.Dict[str, typing.Optional[int]]:
        return upgrader_nova_rows.versions(self.connection, self.target.main, self.target.api, self.target.cell0)


class Exclusive:
    """Runs nova-manage commands of one session while both locks are held."""

    def __init__(self, session: Session, descriptor: int) -> None:
        self._session, self.descriptor = session, descriptor

    def run(self, words: typing.Sequence[str], timeout: float, secret: bool = False) -> upgrader_manage.Outcome:
        """One nova-manage. With ``secret`` its arguments go over stdin, because one of them holds a password."""
        session = self._session
        arguments = ["--config-file", session.target.config_file] + [str(word) for word in words]
        shown = "nova-manage " + " ".join(str(word) for word in words if "://" not in str(word))
        argv = [session.nova_manage] + arguments
        stdin = ""
        if secret:
            argv = [session.python, "-c", upgrader_nova_manage.ARGUMENTS_FROM_STDIN]
            stdin = json.dumps(["nova-manage"] + arguments)
        return upgrader_manage.run(argv, timeout, stdin, shown, session.target.secrets, (self.descriptor,), HOME)


def lock_name(target: Target) -> str:
    """The server's name for the lock."""
    return upgrader_exclusive.lock_name("nova", target.main)


@contextlib.contextmanager
def exclusively(session: Session) -> typing.Iterator[Exclusive]:
    """Hold the upgrade's two locks, nothing of an earlier run being at work any more."""
    ground = upgrader_exclusive.Ground(
        session.connection, "nova", session.target.schemas, "nova-manage", session.lock_file, session.patience
    )
    with upgrader_exclusive.exclusively(ground) as descriptor:
        yield Exclusive(session, descriptor)


def answer(before: typing.Any, after: typing.Any, changed: bool, comment: str, **more: typing.Any) -> Answer:
    return dict(before=before, after=after, changed=changed, comment=comment, **more)


def demand(verdict: judgement.Verdict) -> str:
    """The verdict's sentence, or StepError with it."""
    if not verdict[0]:
        raise StepError(verdict[1])
    return verdict[1]


def api_db_sync(session: Session, wanted: int, timeout: float) -> Answer:
    """``api_db sync --version wanted`` when the API schema is lower."""
    target, before = session.target, session.versions()["api"]
    if not judgement.sync_needed(before, wanted):
        return answer(before, before, False, judgement.already(target.api, before, wanted))
    with exclusively(session) as nova:
        outcome = nova.run(["api_db", "sync", "--version", str(wanted)], timeout)
        after = session.versions()["api"]
    comment = demand(judgement.judge_sync(target.api, outcome, after, wanted))
    return answer(before, after, True, "{0}, from {1}".format(comment, before))


def main_sync_needed(versions: typing.Mapping[str, typing.Optional[int]], wanted: int, cell0_mapped: bool) -> bool:
    """cell0 counts as soon as it is mapped, but never drags a main database that is already past ``wanted`` back."""
    main = versions["main"]
    if judgement.sync_needed(main, wanted):
        return True
    return cell0_mapped and main == wanted and judgement.sync_needed(versions["cell0"], wanted)


def db_sync(session: Session, wanted: int, timeout: float) -> Answer:
    """``db sync --version wanted`` when the main schema, or a mapped cell0, is lower; both are proven afterwards."""
    target, before = session.target, session.versions()
    mapped = any(
        cell.uuid == upgrader_nova_rows.CELL0_UUID for cell in upgrader_nova_rows.cells(session.connection, target.api)
    )
    if not main_sync_needed(before, wanted, mapped):
        return answer(before, before, False, judgement.already(target.main, before["main"], wanted))
    with_cell0 = mapped and judgement.sync_needed(before["cell0"], wanted)
    if with_cell0 and not upgrader_database.schema_exists(session.connection, target.cell0):
        raise StepError(
            "cell0 is mapped but database {0} does not exist or is not granted to {1}; nova would skip it and exit 0:"
            " create and grant it first; nothing was run".format(target.cell0, target.main_url.user)
        )
    with exclusively(session) as nova:
        words = ["db", "sync", "--version", str(wanted)] + ([] if with_cell0 or not mapped else ["--local_cell"])
        outcome = nova.run(words, timeout)
        after = session.versions()
    comment = demand(judgement.judge_sync(target.main, outcome, after["main"], wanted))
    if with_cell0:
        comment += "; " + demand(judgement.judge_cell0_sync(outcome, target.cell0, after["cell0"], wanted))
    return answer(before, after, True, "{0}, from {1}".format(comment, before["main"]))


def online_data_migrations(session: Session, newton: int, max_count: int, timeout: float, fast: bool = False) -> Answer:
    """Batches until the databases say that nothing is left and nova agrees; each batch must move something or walk on.

    With ``fast`` most rows are made in bulk first, equal to nova's own; the answer's ``bulk`` says what and what not.
    """
    target, connection = session.target, session.connection
    version = session.versions()["main"]
    if version is None or version < newton:
        raise StepError(
            "{0} is at {1}; at least {2} is needed before online migrations (below it three of them fail and nova exits 0):"
            " run db_sync to {2} first".format(target.main, version, newton)
        )
    before = upgrader_nova_rows.unmigrated(connection, target.main, target.api)
    bound = 8 + 4 * (1 + upgrader_nova_rows.live_instances(connection, target.main) // max_count)
    sums = {}  # type: typing.Dict[str, int]
    with exclusively(session) as nova:
        bulk = (
            upgrader_nova_bulk.specs(session, (nova.descriptor,), before, timeout)
            if fast
            else upgrader_nova_bulk.NOT_ASKED
        )
        batches = _batches(session, nova, max_count, timeout, bound, sums, fast)
    after = upgrader_nova_rows.unmigrated(connection, target.main, target.api)
    moved = sum(sums.values()) + sum(bulk.made.values())
    comment = "nothing is left to migrate; {0} row(s) moved, {1} batch(es) of nova-manage; {2}".format(
        moved, batches, bulk.said
    )
    return answer(before, after, moved > 0, comment, migrated=sums, batches=batches, bulk=bulk.answer())


def _group_trouble(session: Session, outcome: upgrader_manage.Outcome) -> typing.Tuple[int, int]:
    """Server-group members without spec and specs with a broken group; asked only after a failure, it reads every spec."""
    if not upgrader_nova_manage.failed_migrations(outcome):
        return 0, 0
    target, connection = session.target, session.connection
    grouped = upgrader_nova_rows.grouped_specless(connection, target.main, target.api)
    return grouped, upgrader_nova_rows.broken_group_specs(connection, target.api)


def _batches(
    session: Session,
    nova: Exclusive,
    max_count: int,
    timeout: float,
    bound: int,
    sums: typing.Dict[str, int],
    fast: bool,
) -> int:
    """Run batches; returns how many. ``sums`` collects the rows done by migration.

    A batch must do a row or move nova's marker: matched rows alone are no progress (flavors that cannot be moved match
    for ever).
    """
    target, connection = session.target, session.connection
    rewound, marker = False, upgrader_nova_rows.spec_marker(connection, target.api)
    for number in range(1, bound + 1):
        if fast:
            marker = upgrader_nova_walk.park_specs(connection, target.main, target.api)
        outcome = nova.run(["db", "online_data_migrations", "--max-count", str(max_count)], timeout)
        left = upgrader_nova_rows.unmigrated(connection, target.main, target.api)
        demand(judgement.judge_batch(outcome, left, *_group_trouble(session, outcome)))
        summary = upgrader_nova_manage.migrated(outcome)
        for line in summary:
            if line.done:
                sums[line.name] = sums.get(line.name, 0) + line.done
        if outcome.exit_code == 0 and not any(left.values()):
            return number
        before, marker = marker, upgrader_nova_rows.spec_marker(connection, target.api)
        if any(line.done for line in summary) or marker != before:
            continue
        if left["instances without request spec"] and marker and not rewound:
            upgrader_nova_rows.forget_spec_marker(connection, target.api)
            rewound, marker = True, ""
            continue
        raise StepError(
            "online_data_migrations exits {0} and does nothing more, but is not done; left: {1}".format(
                outcome.exit_code, judgement.still(left)
            )
        )
    raise StepError(
        "online_data_migrations has not finished after {0} batches of {1}; left: {2}".format(
            bound, max_count, judgement.still(left)
        )
    )
