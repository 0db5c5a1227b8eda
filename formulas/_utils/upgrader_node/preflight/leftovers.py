"""What a database has, or lacks, against the source release's real schema: leftovers of an upgrade that was given up."""

import typing

from upgrader_node.database import sql
from upgrader_node.preflight.question import BLOCKER, EVERY_SERVICE, NOTE, WARNING, Finding, Names, Question, finding

_GIVEN_UP = "an upgrade was tried here and given up; its migrations stop at what is there already (error 1050 or 1060)"
_SOURCE = "the source release's own schema; LP 1572341"
COLUMNS = Question(
    "leftover-columns", EVERY_SERVICE, "schema", BLOCKER, "columns that the upgrade itself will make", _GIVEN_UP,
    "drop them at the source, once it is clear that nothing there uses them", _SOURCE,
)  # fmt: skip
TABLES = Question(
    "leftover-tables", EVERY_SERVICE, "schema", BLOCKER, "tables that the upgrade itself will make", _GIVEN_UP,
    "drop them at the source, once it is clear that nothing there uses them", _SOURCE,
)  # fmt: skip
FOREIGN = Question(
    "foreign-columns", EVERY_SERVICE, "schema", WARNING, "columns that neither release knows",
    "nobody can tell what a migration that rebuilds or fills the table makes of them", "find out who made them", _SOURCE,
)  # fmt: skip
OTHERS = Question(
    "foreign-tables", EVERY_SERVICE, "schema", NOTE, "tables that neither release knows",
    "an operator's copies, or another project's: they are copied with the rest, and no migration touches them",
    "take them out of the database where they are not needed", _SOURCE,
)  # fmt: skip
LACKING = Question(
    "lacking", EVERY_SERVICE, "schema", WARNING, "tables and columns of the source release that are not there",
    "a migration that alters or reads one of them stops", "find out what took them away", _SOURCE,
)  # fmt: skip
QUESTIONS = (COLUMNS, TABLES, FOREIGN, OTHERS, LACKING)
# Keystone's own migration 104 drops these, which an aborted 091 left (LP 1572341).
COPED_WITH = {("keystone", "user"): {"domain_id", "name", "password"}}
Shape = typing.Mapping[str, typing.Sequence[str]]


class Strays(typing.NamedTuple):
    """What one database has and what it lacks, as (table, column) or table names."""

    columns: typing.List[typing.Tuple[str, str]]
    tables: typing.List[str]
    foreign: typing.List[typing.Tuple[str, str]]
    others: typing.List[str]
    lacking: typing.List[str]


def strays(service: str, live: Shape, source: Shape, target: Shape) -> Strays:
    """The difference of three schemas: what is there, the source release's and the target's."""
    extra = [
        (table, column)
        for table in sorted(live)
        if table in source
        for column in live[table]
        if column not in source[table] and column not in COPED_WITH.get((service, table), ())
    ]
    lacking = [table for table in sorted(source) if table not in live]
    lacking += ["{0}.{1}".format(t, c) for t in sorted(source) if t in live for c in source[t] if c not in live[t]]
    unknown = [table for table in sorted(live) if table not in source]
    return Strays(
        [pair for pair in extra if pair[1] in target.get(pair[0], ())],
        [table for table in unknown if table in target],
        [pair for pair in extra if pair[1] not in target.get(pair[0], ())],
        [table for table in unknown if table not in target],
        lacking,
    )


def ask(
    connection: typing.Any, names: Names, schemas: typing.Mapping[str, typing.Any], listed: int
) -> typing.List[Finding]:
    """Findings of every database of a service. ``schemas``: the derived document of the release path."""
    told = []  # type: typing.List[Finding]
    for number, database in enumerate(names.databases):
        live = shape(connection, database)
        known = [schemas[side].get(names.service, [{}] * (number + 1)) for side in ("source", "target")]
        if live and known[0][number]:
            stray = strays(names.service, live, known[0][number], known[1][number])
            told += _findings(connection, names, database, stray, listed)
    return told


def shape(connection: typing.Any, database: str) -> typing.Dict[str, typing.List[str]]:
    """Tables to their columns, in small letters."""
    statement = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s ORDER BY table_name, column_name"
    tables = {name.lower(): [] for name in sql.table_names(connection, database)}  # type: typing.Dict[str, typing.List[str]]
    for table, column in sql.rows(connection, statement, (database,)):
        if table.lower() in tables:  # and not a view
            tables[table.lower()].append(column.lower())
    return tables


def _findings(connection: typing.Any, names: Names, database: str, stray: Strays, listed: int) -> typing.List[Finding]:
    keys = _foreign_keys(connection, database)
    drops = [_drop(database, pair, keys) for pair in stray.columns]
    rows = (  # type: typing.Tuple[typing.Tuple[Question, typing.List[str], typing.List[str]], ...]
        (COLUMNS, ["{0}.{1}".format(*pair) for pair in stray.columns], drops),
        (TABLES, stray.tables, ["DROP TABLE `{0}`.`{1}`".format(database, t) for t in _children_first(stray.tables, keys)]),
        (FOREIGN, ["{0}.{1}".format(*pair) for pair in stray.foreign], []),
        (OTHERS, stray.others, []),
        (LACKING, stray.lacking, []),
    )  # fmt: skip
    return [
        finding(
            question, names, "{0}: {1} in {2}; {3}".format(question.what, len(named), database, question.fails), len(named),
            ["{0}.{1}".format(database, name) for name in named[:listed]], mends,
        )
        for question, named, mends in rows
        if named
    ]  # fmt: skip


Keys = typing.List[typing.Tuple[str, str, str, str]]


def _foreign_keys(connection: typing.Any, database: str) -> Keys:
    """(table, column, name of the key, table it refers to)."""
    statement = (
        "SELECT table_name, column_name, constraint_name, referenced_table_name FROM information_schema.key_column_usage"
        " WHERE table_schema = %s AND referenced_table_name IS NOT NULL ORDER BY 1, 2"
    )
    return [
        (t.lower(), c.lower(), name, other.lower())
        for t, c, name, other in sql.rows(connection, statement, (database,))
    ]


def _drop(database: str, pair: typing.Tuple[str, str], keys: Keys) -> str:
    """A column with its foreign keys, which would hold it."""
    parts = ["DROP FOREIGN KEY `{0}`".format(name) for table, column, name, _ in keys if (table, column) == pair]
    parts.append("DROP COLUMN `{0}`".format(pair[1]))
    return "ALTER TABLE `{0}`.`{1}` {2}".format(database, pair[0], ", ".join(parts))


def _children_first(tables: typing.Sequence[str], keys: Keys) -> typing.List[str]:
    """So that no table is dropped while another one still refers to it."""
    left, order = list(tables), []  # type: typing.List[str], typing.List[str]
    while left:
        referred = {other for table, _, _, other in keys if table in left and table != other}
        free = [table for table in left if table not in referred] or left
        order += free
        left = [table for table in left if table not in free]
    return order
