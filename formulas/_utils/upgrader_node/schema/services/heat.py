"""Heat: to the target release's schema, and on to the installed tool's last version where it is a later release's.

Rocky's ``migrate_properties_data`` fails at Ocata's schema, for it asks for a column of a later release. It logs what it
cannot move, goes on and exits 0: the rows that are left are counted. Ocata's own heat-manage has no such command.
"""

import typing

from upgrader_node.release.path import Phase
from upgrader_node.schema import installed, removal
from upgrader_node.schema.session import Done, Look, Service, Session, Tool, Work, demand, demand_source, look_version

_OLD = "TIMESTAMPDIFF(SECOND, COALESCE(updated_at, created_at), UTC_TIMESTAMP()) > 2 * COALESCE(report_interval, 60)"


ENGINES = removal.Kind(
    "engine",
    "service",
    "deleted_at IS NULL",
    "deleted_at = UTC_TIMESTAMP()",
    "CONCAT_WS(' ', `binary`, 'on', hostname)",
)


def look_schema(session: Session, phase: Phase) -> Look:
    return look_version(session, phase.args["version"])


def look_head(session: Session, phase: Phase) -> Look:
    head, least, release = installed.heat(session), session.path.least.get("heat", 0), session.path.target.capitalize()
    demand(head >= least, "the installed heat ends at {0}, {2}'s at {1}; install {2}'s".format(head, least, release))
    return look_version(session, head)


def do_schema(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    demand_source(session)
    tool.run(["db_sync", str(phase.args["version"])], timeout)


def do_head(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    tool.run(["db_sync"], timeout)


def unmoved(session: Session) -> typing.Dict[str, int]:
    """Rows whose properties are still in a column of their own row."""
    left = {}
    for word, table, column in (
        ("resources", "resource", "properties_data"),
        ("events", "event", "resource_properties"),
    ):
        moved = " AND rsrc_prop_data_id IS NULL" if session.has(table, "rsrc_prop_data_id") else ""
        statement = "SELECT COUNT(*) FROM {db}.`%s` WHERE %s IS NOT NULL%s" % (table, column, moved)
        left[word] = int(session.scalar(statement))
    return left


def look_properties(session: Session, phase: Phase) -> Look:
    left = unmoved(session)
    pending = ", ".join("{0} {1}".format(count, word) for word, count in sorted(left.items()) if count)
    return Look(left, pending and "properties to be moved: " + pending, "no properties are left to be moved")


def do_properties(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    tool.run(["migrate_properties_data"], timeout)


def look_engines(session: Session, phase: Phase) -> Look:
    """Engines that have not reported for twice their interval: on a copy, all those of the source."""
    total, gone = len(removal.live(session, ENGINES)), len(removal.live(session, ENGINES, _OLD))
    pending = "{0} engine(s) are gone and still registered".format(gone) if gone else ""
    return Look({"registered": total, "gone": gone}, pending, "no engine that is gone is registered")


def do_engines(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Marked as heat's ``service_delete`` (db/sqlalchemy/api.py) marks a row."""
    return removal.remove(session, ENGINES, removal.live(session, ENGINES, _OLD))


WORKS = {
    "schema": Work(look_schema, do_schema, commands=("db_sync",)),
    "head": Work(look_head, do_head, commands=("db_sync",)),
    "properties": Work(look_properties, do_properties, commands=("migrate_properties_data",)),
    "engines": Work(look_engines, do_engines),
}

SERVICE = Service("heat-manage", "/etc/heat/heat.conf", WORKS)
