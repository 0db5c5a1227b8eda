"""Copying a database by its tablespaces: which databases can be, how their tables are made, and how they are taken in.

``ALTER TABLE .. IMPORT TABLESPACE`` is not replicated by Galera (seen with MariaDB 10.11 and galera-4), so every node does
all of it for itself, with replication off in that one session: create, discard, put the files in place, import.
"""

import os
import re
import typing

from upgrader_node.database import galera, sql

PLAIN = re.compile(r"^[0-9A-Za-z_]{1,64}$")
OLD_ROW_FORMAT = "COMPACT"
BARRACUDA = ("Dynamic", "Compressed")
ENDINGS = ("ibd", "cfg")
DEFINITIONS = "tables.json"
Definitions = typing.Mapping[str, typing.Mapping[str, str]]
TABLES = (
    "SELECT table_name, engine, table_type, row_format, create_options FROM information_schema.tables "
    "WHERE table_schema = %s AND table_type NOT IN ('VIEW', 'SEQUENCE') ORDER BY table_name"
)
# Data that is taken over as it is, on a server that would not let anybody write it today.
TOLERANT = (
    "SET SESSION foreign_key_checks = 0",
    "SET SESSION innodb_strict_mode = 0",
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
)
UNFIT = (
    (
        "fulltext or spatial indexes",
        "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = %s AND index_type IN ('FULLTEXT', 'SPATIAL')",
    ),
    (
        "generated columns",
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = %s AND extra LIKE '%% GENERATED'",
    ),
)


def unfit(connection: typing.Any, database: str, folder: str) -> str:
    """Why a database cannot be copied by its tablespaces, in a few words; empty when it can.

    :param folder: its directory on disk, where every table must have a file of its own
    """
    old = sql.variable(connection, "innodb_default_row_format") is None
    for table, engine, kind, row_format, options in sql.rows(connection, TABLES, (database,)):
        if kind != "BASE TABLE":
            return "{} is a {}".format(table, str(kind).lower())
        if engine != "InnoDB":
            return "table {} is {}, not InnoDB".format(table, engine)
        if old and row_format in BARRACUDA:
            return "table {} is {}, which this server makes only with innodb_file_format Barracuda".format(
                table, row_format
            )
        if not PLAIN.match(table):
            return "table {} has a name with special characters".format(table)
        if re.search(r"partitioned|encrypted=.?yes|data directory", str(options), re.IGNORECASE):
            return "table {} is {}".format(table, options)
        if not os.path.exists(os.path.join(folder, table + ".ibd")):
            return "table {} has no file of its own (innodb_file_per_table was off)".format(table)
    for what, statement in UNFIT:
        if sql.scalar(connection, statement, (database,)):
            return "it has {}".format(what)
    return ""


def definitions(connection: typing.Any, database: str) -> typing.Dict[str, typing.Dict[str, str]]:
    """Of every table its CREATE TABLE, and under ``row_format`` the format that it really has and does not say."""
    made = {}
    for table, _, _, row_format, _ in sql.rows(connection, TABLES, (database,)):
        name = "{}.{}".format(sql.identifier(database), sql.identifier(table))
        text = str(sql.rows(connection, "SHOW CREATE TABLE {}".format(name))[0][1])
        made[str(table)] = {
            "text": text,
            "row_format": "" if "ROW_FORMAT=" in text else str(row_format).upper(),
        }
    return made


def hold(connection: typing.Any, database: str, tables: typing.Iterable[str]) -> None:
    """Make the tables' files complete and keep them so until ``UNLOCK TABLES`` or the connection's end; writes .cfg files."""
    names = ", ".join("{}.{}".format(sql.identifier(database), sql.identifier(table)) for table in tables)
    galera.run(connection, "FLUSH TABLES {} FOR EXPORT".format(names))


def files(tables: typing.Iterable[str]) -> typing.List[str]:
    """Names of the files that make up these tables."""
    return ["{}.{}".format(table, ending) for table in sorted(tables) for ending in ENDINGS]


def begin_locally(connection: typing.Any, database: str) -> None:
    """What follows on this connection is done on this node only, without looking at foreign keys, in ``database``."""
    for statement in galera.locally(connection):
        galera.run(connection, statement)
    begin(connection, database)


def begin(connection: typing.Any, database: str) -> None:
    """What follows on this connection makes tables in ``database`` as they are elsewhere, whatever this server thinks of them."""
    for statement in TOLERANT:
        galera.run(connection, statement)
    galera.run(connection, "USE {}".format(sql.identifier(database)))


def remove_all(connection: typing.Any, database: str, folder: str) -> None:
    """Empty a clone on this node: its tables, and the files that a cut-off import may have left without a table."""
    for table in sql.table_names(connection, database):
        galera.run(connection, "DROP TABLE {}".format(sql.identifier(table)))
    for name in os.listdir(folder):
        if name.rpartition(".")[2] in ENDINGS:
            os.unlink(os.path.join(folder, name))


def make_all(connection: typing.Any, made: Definitions) -> None:
    """Every table new and empty."""
    usual = usual_row_format(connection)
    for _, definition in sorted(made.items()):
        galera.run(connection, spelled(definition, usual))


def discard(connection: typing.Any, tables: typing.Iterable[str]) -> None:
    """The tables without their files, ready for the copied ones."""
    for table in sorted(tables):
        galera.run(connection, "ALTER TABLE {} DISCARD TABLESPACE".format(sql.identifier(table)))


def usual_row_format(connection: typing.Any) -> str:
    """What a table gets that says none. The variable came with MySQL 5.7.9 and MariaDB 10.2.2; before, it was COMPACT."""
    return (sql.variable(connection, "innodb_default_row_format") or OLD_ROW_FORMAT).upper()


def spelled(definition: typing.Mapping[str, str], usual: str) -> str:
    """CREATE TABLE that gives the table's own row format on a server whose default is ``usual``.

    An old table says none and its server's default was another one than today's: then the import fails with "table flags
    don't match". But where it is not needed it is not said, because it changes CHECKSUM TABLE: rows of a table without any
    column of variable length that was made with ROW_FORMAT=DYNAMIC have another checksum than the same rows without it.
    """
    if definition["row_format"] in ("", usual):
        return definition["text"]
    return "{} ROW_FORMAT={}".format(definition["text"], definition["row_format"])


def take_in(connection: typing.Any, tables: typing.Iterable[str]) -> None:
    """Take the copied files in as the tables' own."""
    for table in sorted(tables):
        galera.run(connection, "ALTER TABLE {} IMPORT TABLESPACE".format(sql.identifier(table)))
