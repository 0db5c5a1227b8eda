"""Asks the questions of upgrader_nova_questions and turns what they find into findings. Only plain SELECTs."""

import typing

import upgrader_nova_documents
from upgrader_database import identifier, rows, scalar, schema_version
from upgrader_nova_questions import BLOCKER, QUESTIONS, REPAIR_STEP, WARNING, Question

Finding = typing.Dict[str, typing.Any]
FIRST = 10


def ask_all(
    connection: typing.Any,
    main: str,
    api: str,
    versions: typing.Mapping[str, int],
    errors: typing.Tuple[typing.Type[Exception], ...],
    repaired: typing.Container[str] = (),
) -> typing.List[Finding]:
    """Every finding of every question in one go, blockers first.

    ``errors`` are the driver's exceptions: a question that the server refuses is a blocker of its own and hides no other.
    Blockers whose id is in ``repaired`` are warnings: a step of the plan takes care of them.
    """
    found = [item for schema, wanted in sorted(versions.items()) for item in _version(connection, schema, wanted)]
    for question in QUESTIONS:
        try:
            found.extend(_ask(connection, question, main, api))
        except errors as error:
            found.append(_refused(question, error))
    found = [_excused(item) if item["id"] in repaired and item["severity"] == BLOCKER else item for item in found]
    order = {BLOCKER: 0, WARNING: 1}
    return sorted(found, key=lambda item: order.get(item["severity"], 2))


def _version(connection: typing.Any, schema: str, wanted: int) -> typing.List[Finding]:
    found = schema_version(connection, schema)
    if found == wanted:
        return []
    what = "is not there or empty" if found is None else "is at schema version {0}".format(found)
    return [
        _finding(
            "schema-version", BLOCKER, schema, "{0} {1}, and the upgrade starts from {2}".format(schema, what, wanted),
            "bring it to the source release first, or correct the database name in the model", 1, [schema],
        )
    ]  # fmt: skip


def _ask(connection: typing.Any, question: Question, main: str, api: str) -> typing.List[Finding]:
    sql = question.sql.format(main=identifier(main), api=identifier(api), main_name=main, api_name=api)
    count, first = _read(connection, sql, question.reads) if question.reads else _select(connection, sql)
    if not count:
        return []
    what = "{0}: {1}; {2}".format(question.what, count, question.fails)
    if question.milliseconds:
        what += ", about {0}".format(_lasting(count * question.milliseconds / 1000))
    return [_finding(question.id, question.severity, question.subject, what, question.remedy, count, first)]


def _select(connection: typing.Any, sql: str) -> typing.Tuple[int, typing.List[str]]:
    first = [str(row[0]) for row in rows(connection, "{0} LIMIT {1}".format(sql, FIRST + 1))]
    if len(first) <= FIRST:
        return len(first), first
    return int(scalar(connection, "SELECT COUNT(*) FROM ({0}) AS wrong".format(sql))), first[:FIRST]


def _read(connection: typing.Any, sql: str, reads: str) -> typing.Tuple[int, typing.List[str]]:
    """Texts page by page, so that memory stays small however large the table is."""
    is_wrong = getattr(upgrader_nova_documents, reads)
    count, first, last = 0, [], 0  # type: typing.Tuple[int, typing.List[str], int]
    while True:
        page = rows(connection, sql, (last,))
        if not page:
            return count, first
        last = page[-1][0]
        wrong = [str(found) for _, found, text in page if is_wrong(text)]
        count += len(wrong)
        first += wrong[: FIRST - len(first)]


def _refused(question: Question, error: Exception) -> Finding:
    what = "the server refuses the question for {0} ({1})".format(
        question.what, " ".join(str(part) for part in error.args)
    )
    remedy = "mend what the server names; until then nobody knows whether this stops the upgrade"
    return _finding(question.id, BLOCKER, question.subject, what, remedy, 0, [])


def _excused(item: Finding) -> Finding:
    return dict(
        item,
        severity=WARNING,
        remedy="the plan has the step that repairs it" if item["remedy"] == REPAIR_STEP else item["remedy"],
    )


def _finding(
    identity: str, severity: str, subject: str, what: str, remedy: str, count: int, first: typing.List[str]
) -> Finding:
    return {
        "id": identity,
        "severity": severity,
        "subject": subject,
        "what": what,
        "remedy": remedy,
        "count": count,
        "rows": first,
    }


def _lasting(seconds: float) -> str:
    return "{0:.0f} s".format(max(1, seconds)) if seconds < 120 else "{0:.0f} min".format(seconds / 60)


def summary(found: typing.Sequence[Finding]) -> str:
    """``2 blockers, 1 warning``, or that there is nothing in the way."""
    counts = [
        (len([item for item in found if item["severity"] == severity]), severity) for severity in (BLOCKER, WARNING)
    ]
    said = ["{0} {1}{2}".format(count, severity, "" if count == 1 else "s") for count, severity in counts if count]
    return ", ".join(said) or "nothing is in the way"
