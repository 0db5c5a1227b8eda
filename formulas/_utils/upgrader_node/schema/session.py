"""The words in which the five services' phases are written: one session, one look at the database, one piece of work."""

import typing

from upgrader_node.database import sql
from upgrader_node.database.watched import WatchedConnection
from upgrader_node.errors import StepError
from upgrader_node.release.path import Phase, ServicePath
from upgrader_node.schema.findings import Finding
from upgrader_node.schema.target import Target
from upgrader_node.service import forked, manage

REFILL = "fill the copy again and repeat the upgrade"
# MySQL's errors for a change that is there already, or for something that is gone already.
_HALF_DONE = ("(1050,", "(1051,", "(1054,", "(1060,", "(1061,", "(1091,", "(1146,", "(1826,", "(1022,", "(1359,")


class Session(typing.NamedTuple):
    """One service's upgrade at work: where it goes, its databases, a connection, and how its tool is called on this node."""

    service: "Service"
    path: ServicePath
    target: Target
    connection: WatchedConnection
    tool: str
    python: str
    user: typing.Optional[manage.Account]
    lock_file: str
    patience: float = 3600.0
    forked: bool = False  # its tool is imported once for all commands
    folders: typing.Optional[typing.Dict[str, str]] = None  # of packages, once they have been asked for

    @property
    def database(self) -> str:
        """The service's first database; most have no other."""
        return self.target.name("main")

    def scalar(self, statement: str, values: typing.Sequence[typing.Any] = ()) -> typing.Any:
        """One value of the copy; ``{db}`` in the statement is its name."""
        return sql.scalar(self.connection, self._of_copy(statement), values)

    def rows(self, statement: str, values: typing.Sequence[typing.Any] = ()) -> typing.List[typing.Any]:
        return sql.rows(self.connection, self._of_copy(statement), values)

    def change(self, statement: str, values: typing.Sequence[typing.Any] = ()) -> int:
        """A statement that writes; how many rows of the copy it changed."""
        return sql.change(self.connection, self._of_copy(statement), values)

    def has(self, table: str, column: str = "") -> bool:
        """Whether the copy has a table, or a column of it."""
        columns = sql.column_names(self.connection, self.database, table)
        return column in columns if column else bool(columns)

    def _of_copy(self, statement: str) -> str:
        return statement.replace("{db}", sql.identifier(self.database))

    def marks(self) -> sql.Marks:
        return sql.marks(self.connection, self.database)


class Tool(typing.NamedTuple):
    """A session's tool while both locks are held; it inherits the descriptors of the lock file and of the record.

    Nothing is started any more once the server's lock is lost.
    """

    session: Session
    descriptor: int
    recorder: str = ""  # a program before the tool, that keeps the record
    record: typing.Optional[int] = None

    @property
    def keep_open(self) -> typing.Tuple[int, ...]:
        """What every program of this step inherits, so that it is known to be at work even when we are gone."""
        return (self.descriptor,) if self.record is None else (self.descriptor, self.record)

    def run(self, words: typing.Sequence[str], timeout: float, allowed: typing.Sequence[int] = (0,)) -> manage.Outcome:
        """One run, as the service's user; StepError for another exit code, or for a crash whatever the exit code."""
        return judged(self.ran(words, timeout), allowed)

    def ran(self, words: typing.Sequence[str], timeout: float) -> manage.Outcome:
        """One run, unjudged; StepError where the tool does not know such a command, and so has done nothing."""
        self.session.connection.demand_lock()
        own_words = () if self.record is None else (str(self.record),)
        outcome = run(self.session, words, timeout, self.keep_open, self.recorder, own_words)
        demand(not refused(outcome), _unknown(self.session, outcome))
        return outcome


class Look(typing.NamedTuple):
    """What the database says of one phase: ``state`` for the answer, ``pending`` what is left ("" when it is done)."""

    state: typing.Any
    pending: str
    comment: str


class Done(typing.NamedTuple):
    """What a phase tells beyond what the database says afterwards: its sentence, and more for the answer."""

    comment: str
    more: typing.Mapping[str, typing.Any] = {}
    changed: bool = True


class Work(typing.NamedTuple):
    """One kind of phase: how to look, and what to do. ``look`` never writes and is asked before and after ``do``.

    ``always``: the tool is asked even where the database says that nothing is left, for it may know more. ``commands`` are
    those of the tool that ``do`` cannot be done without ("db_sync --expand"), to be asked for where the tool may lack them.
    """

    look: typing.Callable[[Session, Phase], Look]
    do: typing.Callable[[Session, Tool, Phase, float], typing.Optional[Done]]
    always: bool = False
    commands: typing.Tuple[str, ...] = ()


def _nobody_else(role: typing.Mapping[str, typing.Any]) -> str:
    return ""


class Service(typing.NamedTuple):
    """How a service is driven, whatever the releases.

    ``before`` is run by the tool's Python before the tool, where that has a fault to be got around. ``recorded``: its schema
    changes are written down, so that one that was cut off is taken up. ``own_user``: its tool runs as the service's user.
    ``needs_queue``: its configuration must name the message queue. ``owned`` says why there is nothing to upgrade, or "".
    ``findings`` judges a copy where more is to be asked than the phases and the rows. ``imports`` are modules that every command
    of the tool imports, but not before it works: where the tool is forked they are imported with it.
    """

    tool: str
    config_file: str
    works: typing.Mapping[str, Work]
    before: str = ""
    recorded: bool = True
    own_user: bool = True
    home: str = "/"
    needs_queue: bool = False
    owned: typing.Callable[[typing.Mapping[str, typing.Any]], str] = _nobody_else
    findings: typing.Optional[typing.Callable[[Session, typing.Any], typing.List[Finding]]] = None
    imports: typing.Tuple[str, ...] = ()


def look_version(session: Session, wanted: int) -> Look:
    """A schema of sqlalchemy-migrate with one repository; a version past ``wanted`` is left alone."""
    version = max(session.marks().migrate.values() or [0])
    if version < wanted:
        return Look(version, "the schema is at {0} instead of {1}".format(version, wanted), "")
    past = "" if version == wanted else ", past {0}; nothing to do".format(wanted)
    return Look(version, "", "the schema is at {0}{1}".format(version, past))


def demand_source(session: Session) -> None:
    """The tools would build an empty schema in a database that has none, and know nothing older than the source release's.

    Later than that is allowed: an earlier, interrupted run may have left it there.
    """
    marks, wanted = session.marks(), session.path.source_version
    at = max(marks.migrate.values() or [0])
    older = not marks.alembic if isinstance(wanted, str) else not marks.alembic and at < _number(wanted)
    demand(
        not older,
        "{0} is at {1}, and the upgrade starts from {2}; bring it to {3} first".format(
            session.database, marks.shown(), sql.said(wanted), session.path.source.capitalize()
        ),
    )


def _number(wanted: typing.Optional[sql.Wanted]) -> int:
    return wanted if isinstance(wanted, int) else max(typing.cast(typing.Mapping[str, int], wanted).values())


def run(
    session: Session,
    words: typing.Sequence[str],
    timeout: float,
    keep_open: typing.Sequence[int] = (),
    before: str = "",
    own_words: typing.Sequence[str] = (),
    stdin: str = "",
    shown: typing.Sequence[str] = (),
) -> manage.Outcome:
    """One run of the tool, unjudged; ``before`` is Python to be run before the tool in its own Python, with ``own_words``.

    ``shown`` are the words that are told, where others come over ``stdin`` because a password is among them.
    """
    texts = [str(word) for word in words]
    command = _command(session, texts, before, own_words)
    told = " ".join([session.tool.rpartition("/")[2], *(shown or texts)])
    secrets, home = session.target.secrets, session.service.home
    if session.forked:
        return forked.run(command, timeout, stdin, told, secrets, keep_open, home, session.user)
    return manage.run(command.argv(), timeout, stdin, told, secrets, keep_open, home, session.user)


def _command(
    session: Session, words: typing.Sequence[str] = (), before: str = "", own_words: typing.Sequence[str] = ()
) -> forked.Command:
    texts = ("--config-file", session.target.config_file, *words)
    program = before + session.service.before
    return forked.Command(session.python, session.tool, texts, program, tuple(own_words), session.service.imports)


def prepare(session: Session) -> None:
    """The tool is asked soon: it is imported while the databases are looked at."""
    if session.forked:
        forked.begin(_command(session), session.service.home, session.user)


def finish(session: Session) -> None:
    """The tool is not asked any more: the process that has it imported need not wait for its time to end."""
    if session.forked:
        forked.end(_command(session), session.service.home, session.user)


def judged(outcome: manage.Outcome, allowed: typing.Sequence[int] = (0,)) -> manage.Outcome:
    """The outcome, or StepError: these tools exit 0 after several kinds of failure, so their words count as well."""
    if outcome.exit_code in allowed and not manage.crashed(outcome):
        return outcome
    if outcome.exit_code == manage.TIMED_OUT:
        ended = "was stopped after {0:.0f} s without an end".format(outcome.seconds)
    else:
        ended = "ended with exit code {0}".format(outcome.exit_code)
    remedy = _remedy(manage.last_line(outcome))
    raise StepError("'{0}' {1}: {2}{3}".format(outcome.command, ended, manage.last_words(outcome), remedy))


def refused(outcome: manage.Outcome) -> bool:
    """Whether the tool's parser did not know a word of the command line: then nothing was done."""
    unknown = ("invalid choice: ", "unrecognized arguments: ")
    return outcome.exit_code == 2 and any(words in outcome.stderr for words in unknown)


def _unknown(session: Session, outcome: manage.Outcome) -> str:
    words = (
        "'{0}' is no command of the tool on this node ({1}), and the release path does not say that it may be without;"
        " install {2}'s {3}; nothing was done"
    )
    release = session.path.target.capitalize()
    return words.format(outcome.command, manage.last_words(outcome), release, session.path.name)


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
