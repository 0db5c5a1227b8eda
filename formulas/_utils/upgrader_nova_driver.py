"""The nova-manage steps that change schemas and rows, as an operator should run them: look, run, judge, look again.

``Session`` holds what a step needs; the loader module builds it. Every mutating step runs inside ``exclusively``, so
two upgrades of the same databases keep apart, and nothing starts while the server still works for a lost client.
"""

import contextlib
import fcntl
import json
import time
import typing

import upgrader_database
import upgrader_nova_bulk
import upgrader_nova_judgement as judgement
import upgrader_nova_manage
import upgrader_nova_rows
import upgrader_nova_walk
from upgrader_nova_target import NovaError, Target

POLL = 0.5
Answer = typing.Dict[str, typing.Any]


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

    def run(self, words: typing.Sequence[str], timeout: float, secret: bool = False) -> upgrader_nova_manage.Outcome:
        """One nova-manage. With ``secret`` its arguments go over stdin, because one of them holds a password."""
        session = self._session
        arguments = ["--config-file", session.target.config_file] + [str(word) for word in words]
        shown = "nova-manage " + " ".join(str(word) for word in words if "://" not in str(word))
        argv = [session.nova_manage] + arguments
        stdin = ""
        if secret:
            argv = [session.python, "-c", upgrader_nova_manage.ARGUMENTS_FROM_STDIN]
            stdin = json.dumps(["nova-manage"] + arguments)
        return upgrader_nova_manage.run(argv, timeout, stdin, shown, session.target.secrets, (self.descriptor,))


def _until(wanted: typing.Callable[[], str], patience: float, remedy: str) -> None:
    """Wait until ``wanted`` returns "" (nothing in the way); after ``patience`` seconds say what was last in the way."""
    deadline = time.monotonic() + patience
    seen = wanted()
    while seen:
        if time.monotonic() >= deadline:
            raise NovaError("{0}; waited {1:.0f} s; {2}".format(seen, patience, remedy))
        time.sleep(POLL)
        seen = wanted()


def lock_name(target: Target) -> str:
    """The server's name for the lock (at most 64 characters)."""
    return "upgrader.nova.{0}".format(target.main)[:64]


@contextlib.contextmanager
def exclusively(session: Session) -> typing.Iterator[Exclusive]:
    """Hold the upgrade's two locks; wait, bounded, for a lost nova-manage and for DDL that the server still does.

    The server's lock keeps other nodes away and goes with our connection. The file's lock is inherited by nova-manage,
    so it stays while an orphan of a killed minion still runs.
    """
    connection, name = session.connection, lock_name(session.target)
    if upgrader_database.scalar(connection, "SELECT GET_LOCK(%s, 5)", (name,)) != 1:
        holder = upgrader_database.scalar(connection, "SELECT IS_USED_LOCK(%s)", (name,))
        raise NovaError(
            "another upgrade of {0} is at work: database connection {1} holds the lock {2};"
            " wait for it, or end it with KILL {1} when it is dead".format(session.target.main, holder, name)
        )
    try:
        with open(session.lock_file, "a") as lock:
            _until(
                lambda: _orphan(lock, session.lock_file),
                session.patience,
                "wait for it or end it, then run the step again",
            )
            _until(
                lambda: _ddl(session),
                session.patience,
                "wait until SHOW PROCESSLIST is free of it, then run the step again",
            )
            yield Exclusive(session, lock.fileno())
    finally:
        upgrader_database.scalar(connection, "SELECT RELEASE_LOCK(%s)", (name,))


def _orphan(lock: typing.IO[str], path: str) -> str:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "a nova-manage of an earlier, interrupted run is still at work (it holds {0})".format(path)
    return ""


def _ddl(session: Session) -> str:
    found = upgrader_database.running_ddl(session.connection, session.target.schemas)
    if not found:
        return ""
    return "the database server still carries out {0!r} for connection {1}, {2} s so far".format(
        found[0][2], found[0][0], found[0][1]
    )


def answer(before: typing.Any, after: typing.Any, changed: bool, comment: str, **more: typing.Any) -> Answer:
    return dict(before=before, after=after, changed=changed, comment=comment, **more)


def demand(verdict: judgement.Verdict) -> str:
    """The verdict's sentence, or NovaError with it."""
    if not verdict[0]:
        raise NovaError(verdict[1])
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
        raise NovaError(
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
        raise NovaError(
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


def _group_trouble(session: Session, outcome: upgrader_nova_manage.Outcome) -> typing.Tuple[int, int]:
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
        raise NovaError(
            "online_data_migrations exits {0} and does nothing more, but is not done; left: {1}".format(
                outcome.exit_code, judgement.still(left)
            )
        )
    raise NovaError(
        "online_data_migrations has not finished after {0} batches of {1}; left: {2}".format(
            bound, max_count, judgement.still(left)
        )
    )
