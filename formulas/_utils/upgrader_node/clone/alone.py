"""What in a database leads to another one. A copy of it would read and write there, with the rights of whoever defined it.

Triggers, routines, events and views are never copied: OpenStack has none of its own at Mitaka, and percona-toolkit's issue
2f36e5816 and its kin leave some behind. Seen before that was so: a trigger that came along with a dump wrote 184 rows into
production's own tables while the copy was migrated.
"""

import typing

from upgrader_node.database import sql

LOCAL_ENGINES = ("InnoDB", "MyISAM", "Aria", "MEMORY", "ARCHIVE", "CSV")
"""Engines that hold a table's rows themselves. FEDERATED, CONNECT, SPIDER and MERGE lead to rows of somebody else's."""

_REFERRING = (
    "SELECT DISTINCT table_name, constraint_name, referenced_table_schema FROM information_schema.key_column_usage "
    "WHERE table_schema = %s AND referenced_table_schema <> table_schema ORDER BY 1, 2"
)
_ENGINES = (
    "SELECT table_name, engine FROM information_schema.tables "
    "WHERE table_schema = %s AND table_type <> 'VIEW' AND COALESCE(engine, '') NOT IN ({}) ORDER BY 1"
).format(", ".join(["%s"] * len(LOCAL_ENGINES)))
_PROGRAMS = (
    ("trigger", "SELECT trigger_name, definer FROM information_schema.triggers WHERE trigger_schema = %s ORDER BY 1"),
    ("routine", "SELECT routine_name, definer FROM information_schema.routines WHERE routine_schema = %s ORDER BY 1"),
    ("event", "SELECT event_name, definer FROM information_schema.events WHERE event_schema = %s ORDER BY 1"),
    ("view", "SELECT table_name, definer FROM information_schema.views WHERE table_schema = %s ORDER BY 1"),
)


def leads_away(connection: typing.Any, database: str) -> typing.List[str]:
    """Of the tables themselves: foreign keys into another database, and engines whose rows are elsewhere; one phrase each."""
    away = [
        "foreign key {} of table {} refers to database {}".format(name, table, other)
        for table, name, other in sql.rows(connection, _REFERRING, (database,))
    ]
    for table, engine in sql.rows(connection, _ENGINES, (database, *LOCAL_ENGINES)):
        away.append(
            "table {} is {}, whose rows are elsewhere".format(table, engine or "of an engine that is not there")
        )
    return away


def programs(connection: typing.Any, database: str) -> typing.List[str]:
    """Triggers, routines, events and views of a database with their definers; one phrase each."""
    return [
        "{} {} of definer {}".format(kind, name, definer)
        for kind, statement in _PROGRAMS
        for name, definer in sql.rows(connection, statement, (database,))
    ]
