"""Pages of the live databases for the upgrade node's code to judge, read as the admin account in a session that refuses writes.

The upgrade node has no account on production and gets none. What may hold passwords does not leave this node: Salt keeps
what its calls were given for a day. Those rows are judged here by their grammar, without executing anything of them.
"""

import functools
import typing

from upgrader_node.database import sql
from upgrader_node.preflight import texts
from upgrader_node.probe import kind as probe_kind
from upgrader_node.probe import packing, told
from upgrader_node.probe.kind import Kind, Row
from upgrader_node.probe.verdicts import Verdicts

Answer = typing.Dict[str, typing.Any]
ROWS, OCTETS = 20000, 8000000
"""What a page holds at most before it is packed: rows, and characters of different rows."""
LISTED = 1000


def page(
    connection: typing.Any, kind: Kind, databases: typing.Sequence[str], after: typing.Any, counted: bool
) -> Answer:
    """The rows after a key: ``rows`` how many, ``after`` the last key, ``packed`` for ``upgrader_probe.judge``, ``findings``.

    ``more`` is False at the end. ``total`` is how many rows there are, where ``counted`` asks for it.
    """
    words = probe_kind.words_of(databases)
    ask = functools.partial(sql.rows, connection)
    answer = {"total": int(sql.scalar(connection, kind.counting(words)))} if counted else {}  # type: Answer
    rows, more = _read(ask, kind, words, after)
    if kind.secret or not rows:
        return dict(
            answer,
            rows=len(rows),
            more=more,
            after=rows[-1].key if rows else after,
            packed="",
            findings=_parsed(kind, databases, rows),
        )
    many, packed = packing.fitting(rows)
    if not many:
        return dict(
            answer,
            rows=1,
            more=more or len(rows) > 1,
            after=rows[0].key,
            packed="",
            findings=_too_large(kind, databases, rows[0]),
        )
    return dict(answer, rows=many, more=more or many < len(rows), after=rows[many - 1].key, packed=packed, findings=[])


def _read(
    ask: typing.Any, kind: Kind, words: typing.Mapping[str, str], after: typing.Any
) -> typing.Tuple[typing.List[Row], bool]:
    """Rows in pages of the kind's own size until there are enough; equal values stand in memory once."""
    rows, known, octets = [], {}, 0  # type: typing.List[Row], typing.Dict[typing.Any, typing.Any], int
    while len(rows) < ROWS and octets < OCTETS:
        found = probe_kind.rows_after(ask, kind, words, after)
        for row in found:
            mark = probe_kind.digest(row.values)
            if mark not in known:
                known[mark] = row.values
                octets += sum(len(value) for value in row.values if isinstance(value, (str, bytes)))
            rows.append(row._replace(values=known[mark]))
        if len(found) < kind.page:
            return rows, False
        after = found[-1].key
    return rows, True


def _parsed(kind: Kind, databases: typing.Sequence[str], rows: typing.Sequence[Row]) -> typing.List[told.Finding]:
    verdicts = Verdicts(texts.demand_grammar, LISTED)
    verdicts.hear(rows)
    return told.of_rows(kind, databases, verdicts.count, verdicts.refused, told.NO_CODE.format(kind.service))


def _too_large(kind: Kind, databases: typing.Sequence[str], row: Row) -> typing.List[told.Finding]:
    """Not judged, and said so: a warning, for the rehearsal reads it on the copy."""
    size = sum(len(value) for value in row.values if isinstance(value, (str, bytes)))
    found = told.of_rows(kind, databases, 1, [(row.key, row.name, "{0} characters".format(size))])
    what = "{0} row too large to be carried by Salt, so that it was not judged; the rehearsal judges it".format(
        kind.subject
    )
    return [
        dict(one, id="unprobed-" + kind.id, severity="warning", what=what, statements=[], remedy="look at it by hand")
        for one in found
    ]
