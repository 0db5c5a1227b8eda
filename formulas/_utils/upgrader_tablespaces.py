"""Copying a database by its tablespaces: which databases can be, how their tables are made, and how they are taken in.

``ALTER TABLE .. IMPORT TABLESPACE`` is not replicated by Galera (facts/lab.md, Databases), so every node does all of it
for itself, with replication off in that one session: create, discard, put the files in place, import.
"""

import os
import re
import typing

import upgrader_database
import upgrader_galera

PLAIN = re.compile(r"^[0-9A-Za-z_]{1,64}$")
ENDINGS = ("ibd", "cfg")
DEFINITIONS = "tables.json"
TABLES = (
    "SELECT table_name, engine, table_type, row_format, create_options FROM information_schema.tables "
    "WHERE table_schema = %s ORDER BY table_name"
)
UNFIT = (
    ("triggers", "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = %s"),
    ("stored routines", "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = %s"),
    ("events", "SELECT COUNT(*) FROM information_schema.events WHERE event_schema = %s"),
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
    for table, engine, kind, _, options in upgrader_database.rows(connection, TABLES, (database,)):
        if kind != "BASE TABLE":
            return "{} is a {}".format(table, str(kind).lower())
        if engine != "InnoDB":
            return "table {} is {}, not InnoDB".format(table, engine)
        if not PLAIN.match(table):
            return "table {} has a name with special characters".format(table)
        if re.search(r"partitioned|encrypted=.?yes|data directory", str(options), re.IGNORECASE):
            return "table {} is {}".format(table, options)
        if not os.path.exists(os.path.join(folder, table + ".ibd")):
            return "table {} has no file of its own (innodb_file_per_table was off)".format(table)
    for what, statement in UNFIT:
        if upgrader_database.scalar(connection, statement, (database,)):
            return "it has {}".format(what)
    return ""


def definitions(connection: typing.Any, database: str) -> typing.Dict[str, typing.Dict[str, str]]:
    """Of every table its CREATE TABLE, and under ``row_format`` the format that it really has and does not say."""
    made = {}
    for table, _, _, row_format, _ in upgrader_database.rows(connection, TABLES, (database,)):
        name = "{}.{}".format(upgrader_database.identifier(database), upgrader_database.identifier(table))
        text = str(upgrader_database.rows(connection, "SHOW CREATE TABLE {}".format(name))[0][1])
        made[str(table)] = {
            "text": text,
            "row_format": "" if "ROW_FORMAT=" in text else str(row_format).upper(),
        }
    return made


def hold(connection: typing.Any, database: str, tables: typing.Iterable[str]) -> None:
    """Make the tables' files complete and keep them so until ``UNLOCK TABLES`` or the connection's end; writes .cfg files."""
    names = ", ".join(
        "{}.{}".format(upgrader_database.identifier(database), upgrader_database.identifier(table)) for table in tables
    )
    upgrader_galera.run(connection, "FLUSH TABLES {} FOR EXPORT".format(names))


def files(tables: typing.Iterable[str]) -> typing.List[str]:
    """Names of the files that make up these tables."""
    return ["{}.{}".format(table, ending) for table in sorted(tables) for ending in ENDINGS]


def begin_locally(connection: typing.Any, database: str) -> None:
    """What follows on this connection is done on this node only, without looking at foreign keys, in ``database``."""
    for statement in (*upgrader_galera.LOCALLY, "SET SESSION foreign_key_checks = 0"):
        upgrader_galera.run(connection, statement)
    upgrader_galera.run(connection, "USE {}".format(upgrader_database.identifier(database)))


def remove_all(connection: typing.Any, database: str, folder: str) -> None:
    """Empty a clone on this node: its tables, and the files that a cut-off import may have left without a table."""
    for table in upgrader_database.table_names(connection, database):
        upgrader_galera.run(connection, "DROP TABLE {}".format(upgrader_database.identifier(table)))
    for name in os.listdir(folder):
        if name.rpartition(".")[2] in ENDINGS:
            os.unlink(os.path.join(folder, name))


def make_all(connection: typing.Any, made: typing.Mapping[str, typing.Mapping[str, str]]) -> None:
    """Every table new and without its file, ready for the copied one."""
    usual = str(upgrader_database.scalar(connection, "SELECT @@GLOBAL.innodb_default_row_format")).upper()
    for table, definition in sorted(made.items()):
        upgrader_galera.run(connection, spelled(definition, usual))
        upgrader_galera.run(connection, "ALTER TABLE {} DISCARD TABLESPACE".format(upgrader_database.identifier(table)))


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
        upgrader_galera.run(connection, "ALTER TABLE {} IMPORT TABLESPACE".format(upgrader_database.identifier(table)))
