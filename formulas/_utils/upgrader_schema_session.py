"""The words in which the five services' phases are written: one session, one look at the database, one piece of work."""

import typing

import upgrader_database
import upgrader_manage
from upgrader_conf import StepError
from upgrader_schema_target import Target, place

# The tool itself, in the Python that ran something before it: argv is the tool's script and its words.
START = """\
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
REFILL = "fill the copy again and repeat the upgrade"
# MySQL's errors for a change that is there already, or for something that is gone already.
_HALF_DONE = ("(1050,", "(1051,", "(1054,", "(1060,", "(1061,", "(1091,", "(1146,", "(1826,", "(1022,", "(1359,")


class Session(typing.NamedTuple):
    """One service's upgrade at work: its target, a database connection, and how its tool is called on this node."""

    target: Target
    connection: typing.Any
    tool: str
    python: str
    user: upgrader_manage.Account
    lock_file: str
    patience: float = 3600.0

    @property
    def database(self) -> str:
        return self.target.database

    def scalar(self, statement: str, values: typing.Sequence[typing.Any] = ()) -> typing.Any:
        """One value of the copy; ``{db}`` in the statement is its name."""
        return upgrader_database.scalar(self.connection, self._of_copy(statement), values)

    def rows(self, statement: str, values: typing.Sequence[typing.Any] = ()) -> typing.List[typing.Any]:
        return upgrader_database.rows(self.connection, self._of_copy(statement), values)

    def has(self, table: str, column: str = "") -> bool:
        """Whether the copy has a table, or a column of it."""
        found = upgrader_database.column_names(self.connection, self.database, table)
        return column in found if column else bool(found)

    def _of_copy(self, statement: str) -> str:
        return statement.replace("{db}", upgrader_database.identifier(self.database))

    def marks(self) -> upgrader_database.Marks:
        return upgrader_database.marks(self.connection, self.database)


class Tool(typing.NamedTuple):
    """A session's tool while both locks are held; it inherits the descriptors of the lock file and of the record."""

    session: Session
    descriptor: int
    recorder: str  # a program before the tool, that keeps the record
    record: int

    def run(
        self, words: typing.Sequence[str], timeout: float, allowed: typing.Sequence[int] = (0,)
    ) -> upgrader_manage.Outcome:
        """One run, as the service's user; StepError for another exit code, or for a crash whatever the exit code."""
        keep_open = (self.descriptor, self.record)
        return judged(run(self.session, words, timeout, keep_open, self.recorder, (str(self.record),)), allowed)


class Look(typing.NamedTuple):
    """What the database says of one phase: ``state`` for the answer, ``pending`` what is left ("" when it is done)."""

    state: typing.Any
    pending: str
    comment: str


class Work(typing.NamedTuple):
    """One phase of a service: how to look, and what to do. ``look`` never writes and is asked before and after ``do``."""

    look: typing.Callable[[Session], Look]
    do: typing.Callable[[Session, Tool, float], None]


def look_version(session: Session, wanted: int) -> Look:
    """A schema of sqlalchemy-migrate with one repository; a version past ``wanted`` is left alone."""
    found = max(session.marks().migrate.values() or [0])
    if found < wanted:
        return Look(found, "the schema is at {0} instead of {1}".format(found, wanted), "")
    past = "" if found == wanted else ", past {0}; nothing to do".format(wanted)
    return Look(found, "", "the schema is at {0}{1}".format(found, past))


def demand_source(session: Session, wanted: upgrader_database.Wanted) -> None:
    """The tools would build an empty schema in a database that has none, and know nothing older than Mitaka's.

    Later than ``wanted`` is allowed: an earlier, interrupted run may have left it there.
    """
    marks = session.marks()
    at = max(marks.migrate.values() or [0])
    older = not marks.alembic if isinstance(wanted, str) else not marks.alembic and at < _number(wanted)
    demand(
        not older,
        "{0} is at {1}, and the upgrade starts from {2}; bring it to Mitaka first".format(
            session.database, marks.shown(), wanted
        ),
    )


def _number(wanted: upgrader_database.Wanted) -> int:
    return wanted if isinstance(wanted, int) else max(typing.cast(typing.Mapping[str, int], wanted).values())


def run(
    session: Session,
    words: typing.Sequence[str],
    timeout: float,
    keep_open: typing.Sequence[int] = (),
    before: str = "",
    own_words: typing.Sequence[str] = (),
) -> upgrader_manage.Outcome:
    """One run of the tool, unjudged; ``before`` is Python to be run before the tool in its own Python, with ``own_words``."""
    name = session.tool.rpartition("/")[2]
    before += place(session.target.service).before
    argv = [session.python, "-c", before + START] + list(own_words) + [session.tool] if before else [session.tool]
    argv += ["--config-file", session.target.config_file] + [str(word) for word in words]
    shown = " ".join([name] + [str(word) for word in words])
    return upgrader_manage.run(
        argv, timeout, shown=shown, secrets=session.target.secrets, keep_open=keep_open, user=session.user
    )


def judged(outcome: upgrader_manage.Outcome, allowed: typing.Sequence[int] = (0,)) -> upgrader_manage.Outcome:
    """The outcome, or StepError: these tools exit 0 after several kinds of failure, so their words count as well."""
    if outcome.exit_code in allowed and not upgrader_manage.crash(outcome):
        return outcome
    if outcome.exit_code == upgrader_manage.TIMED_OUT:
        ended = "was stopped after {0:.0f} s without an end".format(outcome.seconds)
    else:
        ended = "ended with exit code {0}".format(outcome.exit_code)
    last = upgrader_manage.last_words(outcome)
    raise StepError("'{0}' {1}: {2}{3}".format(outcome.command, ended, last, _remedy(last)))


def _remedy(last: str) -> str:
    if any(code in last for code in _HALF_DONE):
        return (
            "; a migration that was cut off half-way left a part of its work and cannot be repeated:"
            " {0} (for a production database, restore the backup)".format(REFILL)
        )
    if "(1044," in last or "(1045," in last or "(1142," in last:
        return "; the account must be granted everything on the copy"
    return ""


def demand(condition: typing.Any, sentence: str) -> None:
    """StepError with ``sentence`` unless the condition holds."""
    if not condition:
        raise StepError(sentence)
