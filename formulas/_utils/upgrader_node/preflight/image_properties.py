"""Image properties that instances keep and that nova's ImageMetaProps refuses.

The distinct values are read and judged here, so that a cloud of 200,000 instances costs two passes of the server over one
table and next to no memory. Rows marked as deleted count: nova reads ``instance_system_metadata`` with them.
"""

import typing

from upgrader_node.database import sql
from upgrader_node.preflight import image_values
from upgrader_node.preflight.question import BLOCKER, NOVA, WARNING, Finding, Names, Question, finding

REFUSED = Question(
    "image-properties", NOVA, "instances", BLOCKER, "live instances without request spec whose image properties nova refuses",
    "online migrations die at each of them (ValueError in Instance.image_meta) and exit 0, and all later instances stay without spec",
    "write a value that nova takes; where nobody can tell which, take the property away",
    "LP 1633200, LP 1460079; nova 15.1.5 objects/image_meta.py and objects/fields.py",
)  # fmt: skip
LATER = REFUSED._replace(
    id="image-properties-later", severity=WARNING, what="live instances with request spec whose image properties nova refuses",
    fails="the upgrade passes, and then Ocata refuses to reboot, resize or migrate them",
)  # fmt: skip
QUESTIONS = (REFUSED, LATER)
Pair = typing.Tuple[str, typing.Optional[str]]
_WANTED = "(m.`key` IN ({0}) OR m.`key` LIKE '%%hw\\_numa\\_mem.%%' OR m.`key` LIKE '%%hw\\_numa\\_cpus.%%')"
_SPEC = "(SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = m.instance_uuid)"
_ROWS = (
    "SELECT {{0}} FROM {{main}}.instance_system_metadata m JOIN {{main}}.instances i ON i.uuid = m.instance_uuid AND i.deleted = 0"
    " WHERE (m.`key`, BINARY m.value) IN ({0}) AND {1} EXISTS " + _SPEC.replace("{", "{{").replace("}", "}}")
)


def ask(connection: typing.Any, names: Names, listed: int) -> typing.List[Finding]:
    """One finding for the instances that stop the upgrade, one for those that break after it."""
    wrong = [pair for pair in _pairs(connection, names) if image_values.is_refused(*pair)]
    if not wrong:
        return []
    told = [_told(connection, names, question, wrong, listed) for question in QUESTIONS]
    return [item for item in told if item["count"]]


def _pairs(connection: typing.Any, names: Names) -> typing.List[Pair]:
    keys = image_values.keys()
    statement = (
        "SELECT m.`key`, BINARY m.value FROM {0}.instance_system_metadata m WHERE {1} GROUP BY m.`key`, BINARY m.value"
    )
    statement = statement.format(names.words()["main"], _WANTED.format(", ".join(["%s"] * len(keys))))
    return [
        (_text(key), None if value is None else _text(value)) for key, value in sql.rows(connection, statement, keys)
    ]


def _text(value: typing.Union[str, bytes]) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _told(
    connection: typing.Any, names: Names, question: Question, wrong: typing.Sequence[Pair], listed: int
) -> Finding:
    absent = "NOT" if question is REFUSED else ""
    statement = _ROWS.format(", ".join(["(%s, BINARY %s)"] * len(wrong)), absent)
    values = [part for pair in wrong for part in pair]
    columns = "i.uuid, m.`key`, BINARY m.value"
    count = int(sql.scalar(connection, statement.format("COUNT(DISTINCT i.uuid)", **names.words()), values))
    lines = sql.rows(
        connection, statement.format(columns, **names.words()) + " ORDER BY 1, 2 LIMIT {0}".format(listed), values
    )
    pairs = sql.rows(connection, statement.format("DISTINCT m.`key`, BINARY m.value", **names.words()), values)
    rows = ["{0} {1}={2}".format(uuid, _text(key), _text(value)) for uuid, key, value in lines]
    mends = [mend(connection, names, _text(key), _text(value)) for key, value in sorted(pairs)]
    what = "{0}: {1}; {2}".format(question.what, count, question.fails)
    return finding(question, names, what, count, rows, mends)


def mend(connection: typing.Any, names: Names, key: str, value: str) -> str:
    """The statement that corrects one value everywhere, or takes it away."""
    table, meant = "{0}.instance_system_metadata".format(names.words()["main"]), image_values.meant(key, value)
    start = "DELETE FROM {0}".format(table)
    if meant is not None:
        start = "UPDATE {0} SET value = {1}".format(table, connection.escape(meant))
    return "{0} WHERE `key` = {1} AND BINARY value = BINARY {2}".format(
        start, connection.escape(key), connection.escape(value)
    )
