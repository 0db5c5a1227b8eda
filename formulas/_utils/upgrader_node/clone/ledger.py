"""Which databases on the server are clones that this tool made: a table of its own, written before a database is created.

So a database is only ever dropped when the ledger names it, never because its name looks like a clone's.
"""

import typing

from upgrader_node.errors import StepError

SCHEMA = "upgrader"
CREATE = (
    "CREATE DATABASE IF NOT EXISTS `upgrader` CHARACTER SET utf8",
    "CREATE TABLE IF NOT EXISTS `upgrader`.`clones` (name VARCHAR(64) NOT NULL PRIMARY KEY, run VARCHAR(80) NOT NULL, "
    "filled TINYINT NOT NULL DEFAULT 0, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB",
)


class Clone(typing.NamedTuple):
    """A clone this tool made: which run made it, and whether it holds a whole copy."""

    name: str
    run: str
    filled: bool


def read(cursor: typing.Any) -> typing.Dict[str, Clone]:
    """The clones the ledger knows, by name. Makes the ledger when the server has none yet."""
    for statement in CREATE:
        cursor.execute(statement)
    cursor.execute("SELECT name, run, filled FROM `upgrader`.`clones`")
    return {row[0]: Clone(row[0], row[1], bool(row[2])) for row in cursor.fetchall()}


def existing(cursor: typing.Any, names: typing.Iterable[str]) -> typing.List[str]:
    """Which of ``names`` are databases on the server."""
    cursor.execute("SELECT schema_name FROM information_schema.schemata")
    present = {row[0] for row in cursor.fetchall()}
    return [name for name in names if name in present]


def foreign(cursor: typing.Any, names: typing.Iterable[str]) -> typing.List[str]:
    """Databases of these names that are there but that this tool did not make: they must not be touched."""
    known = read(cursor)
    return [name for name in existing(cursor, names) if name not in known]


def require(cursor: typing.Any, names: typing.Iterable[str], run: str) -> None:
    """Raises StepError unless the ledger says that ``run`` made every database of ``names``."""
    known = read(cursor)
    strange = [name for name in names if name not in known or known[name].run != run]
    if strange:
        raise StepError("database {} was not made by run {}: nothing was done to it".format(", ".join(strange), run))


def claim(cursor: typing.Any, name: str, run: str) -> None:
    """Write down that ``name`` is this run's, empty. Before the database is created, so that a crash cannot orphan it."""
    cursor.execute("REPLACE INTO `upgrader`.`clones` (name, run, filled) VALUES (%s, %s, 0)", (name, run))


def mark_filled(cursor: typing.Any, name: str) -> None:
    """Write down that ``name`` holds a whole copy."""
    cursor.execute("UPDATE `upgrader`.`clones` SET filled = 1 WHERE name = %s", (name,))


def forget(cursor: typing.Any, name: str) -> None:
    """Strike out a clone that is gone. After it was dropped, so that a crash never leaves one that nobody knows."""
    cursor.execute("DELETE FROM `upgrader`.`clones` WHERE name = %s", (name,))
