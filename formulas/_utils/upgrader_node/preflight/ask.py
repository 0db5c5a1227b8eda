"""Asks every question in one session and turns the answers into findings. Only plain SELECTs, which lock nothing."""

import typing

from upgrader_node.database import sql
from upgrader_node.preflight import catalog, image_properties, left_out, leftovers, tighter
from upgrader_node.preflight.question import (
    BLOCKER,
    EVERY_SERVICE,
    NOTE,
    SERVER,
    WARNING,
    Finding,
    Names,
    Question,
    finding,
)

FIRST, ORDER = 10, {BLOCKER: 0, WARNING: 1, NOTE: 2}
Schemas = typing.Mapping[str, typing.Any]
Asking = typing.Callable[[], typing.List[Finding]]
VERSION = Question(
    "schema-version", EVERY_SERVICE, "schema", BLOCKER, "schema at the release that the upgrade starts from",
    "no migration may start from another one", "bring it to the source release first, or correct the database name in the model",
    "the release's own migrations",
)  # fmt: skip


class Session(typing.NamedTuple):
    """One connection and what is asked of it. ``errors`` are the driver's exceptions; ``listed`` is how many rows a finding names."""

    connection: typing.Any
    errors: typing.Tuple[typing.Any, ...]
    versions: typing.Mapping[str, sql.Wanted]
    schemas: Schemas
    listed: int = FIRST


def ask_all(
    session: Session,
    databases: typing.Mapping[str, typing.Sequence[str]],
    repaired: typing.Container[str] = (),
    without: typing.Optional[typing.Mapping[str, typing.Mapping[str, str]]] = None,
) -> typing.List[Finding]:
    """Every finding of every question, blockers first. ``databases``: service to the names of its databases.

    A question that the server refuses is a blocker of its own and hides no other. Blockers whose id is in ``repaired``
    are warnings: a step of the plan takes care of them. ``without``: a service that the plan leaves out to ``database``, the
    name that its database would have, and ``why``.
    """
    told = []  # type: typing.List[Finding]
    every = tuple(name for names in databases.values() for name in names)
    for names in [Names(service, tuple(names)) for service, names in databases.items()] + [Names(SERVER, every)]:
        told += _of_service(session, names)
    for service, said in (without or {}).items():
        told += _asked(session, left_out.NETWORKS, Names(service, (said["database"],)), _left_out(session, said))
    told = [_excused(item) if item["id"] in repaired and item["severity"] == BLOCKER else item for item in told]
    return sorted(told, key=lambda item: ORDER[item["severity"]])


def _of_service(session: Session, names: Names) -> typing.List[Finding]:
    told = []  # type: typing.List[Finding]
    for question, asking in _askings(session, names):
        told += _asked(session, question, names, asking)
    return told


def _asked(session: Session, question: Question, names: Names, asking: Asking) -> typing.List[Finding]:
    try:
        return asking()
    except session.errors as error:
        return [_refused(question, names, error)]


def _left_out(session: Session, said: typing.Mapping[str, str]) -> Asking:
    return lambda: left_out.ask(session.connection, said["database"], said["why"])


def _askings(session: Session, names: Names) -> typing.List[typing.Tuple[Question, Asking]]:
    """Each question that concerns the service, with how it is asked."""
    connection, schemas = session.connection, session.schemas
    if names.service == SERVER:
        return _plain(session, names)
    askings = [(VERSION, lambda: _versions(session, names))]  # type: typing.List[typing.Tuple[Question, Asking]]
    askings += _plain(session, names)
    if names.service == image_properties.REFUSED.service:
        asking = lambda: image_properties.ask(connection, names, session.listed)  # noqa: E731
        askings.append((image_properties.REFUSED, asking))
    askings.append((leftovers.COLUMNS, lambda: leftovers.ask(connection, names, schemas, session.listed)))
    askings += [
        (tighter.QUESTION, lambda rule=rule: tighter.ask(connection, names, rule, session.listed))  # type: ignore[misc]
        for rule in tighter.rules(names, schemas)
    ]
    return askings


def _plain(session: Session, names: Names) -> typing.List[typing.Tuple[Question, Asking]]:
    """The questions that are one statement."""
    return [
        (question, lambda question=question: _ask(session, question, names))  # type: ignore[misc]
        for question in catalog.of_service(names.service)
    ]


def _versions(session: Session, names: Names) -> typing.List[Finding]:
    told = []
    for database in names.databases:
        wanted = session.versions.get(database)
        marks = sql.marks(session.connection, database)
        if wanted is None or sql.stands_at(marks, wanted):
            continue
        empty = not marks.migrate and not marks.alembic
        state = "is not there or empty" if empty else "is at schema version {0}".format(marks.shown())
        what = "{0} {1}, and the upgrade starts from {2}".format(database, state, _shown(wanted))
        told.append(finding(VERSION, names, what, 1, [database]))
    return told


def _shown(wanted: sql.Wanted) -> str:
    if isinstance(wanted, (int, str)):
        return str(wanted)
    return ", ".join(str(version) for _, version in sorted(wanted.items()))


def _ask(session: Session, question: Question, names: Names) -> typing.List[Finding]:
    words = names.words()
    statement, mends = question.sql.format(**words), [] if question.reads else question.mends
    count, lines = _read(session, question, words) if question.reads else _select(session, statement)
    if not count:
        return []
    what = "{0}: {1}; {2}".format(question.what, count, question.fails)
    if question.milliseconds:
        what += ", about {0}".format(_lasting(count * question.milliseconds / 1000))
    mending = [_written(mend, words) for mend in mends]
    mending += [str(statement) for line in lines for statement in line[1:] if statement]
    return [finding(question, names, what, count, [str(line[0]) for line in lines], mending)]


Lines = typing.Tuple[int, typing.List[typing.Sequence[typing.Any]]]


def _select(session: Session, statement: str) -> Lines:
    listed = session.listed
    lines = sql.rows(session.connection, "{0} LIMIT {1}".format(statement, listed + 1))
    if len(lines) <= listed:
        return len(lines), lines
    return int(sql.scalar(session.connection, "SELECT COUNT(*) FROM ({0}) AS wrong".format(statement))), lines[:listed]


def _read(session: Session, question: Question, words: typing.Mapping[str, str]) -> Lines:
    """Texts page by page, so that memory stays small however large the table is."""
    assert question.reads is not None
    statement = question.sql.format(**words)
    count, lines, last = 0, [], 0  # type: typing.Tuple[int, typing.List[typing.Sequence[typing.Any]], typing.Any]
    while True:
        page = sql.rows(session.connection, statement, (last,))
        if not page:
            return count, lines
        last = page[-1][0]
        wrong = [(identity, name) for identity, name, text in page if question.reads(text)]
        count += len(wrong)
        for identity, name in wrong[: session.listed - len(lines)]:
            lines.append([name, *(_written(mend, dict(words, id=str(identity))) for mend in question.mends)])


def _written(mend: str, words: typing.Mapping[str, str]) -> str:
    return mend.format(**words).replace("%%", "%")


def _refused(question: Question, names: Names, error: Exception) -> Finding:
    reason = " ".join(str(part) for part in error.args)
    what = "the server refuses the question for {0} ({1})".format(question.what, reason)
    remedy = "mend what the server names; until then nobody knows whether this stops the upgrade"
    return dict(finding(question, names, what, 0, []), severity=BLOCKER, remedy=remedy)


def _excused(item: Finding) -> Finding:
    repaired = item["remedy"] == catalog.REPAIR_STEP
    return dict(item, severity=WARNING, remedy="the plan has the step that repairs it" if repaired else item["remedy"])


def _lasting(seconds: float) -> str:
    return "{0:.0f} s".format(max(1, seconds)) if seconds < 120 else "{0:.0f} min".format(seconds / 60)


def summary(told: typing.Sequence[Finding]) -> str:
    """``2 blockers, 1 warning``, or that there is nothing in the way."""
    counts = [(sum(item["severity"] == severity for item in told), severity) for severity in (BLOCKER, WARNING)]
    said = ["{0} {1}{2}".format(count, severity, "" if count == 1 else "s") for count, severity in counts if count]
    return ", ".join(said) or "nothing is in the way"
