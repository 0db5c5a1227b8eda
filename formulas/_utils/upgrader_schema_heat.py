"""Heat from Mitaka's 71 to Ocata's 79, and on to the installed tool's last version where it is a later release's.

Rocky's ``migrate_properties_data`` fails at 79, for it asks for a column of a later release. It logs what it cannot
move, goes on and exits 0: the rows that are left are counted.
"""

import typing

import upgrader_phases
import upgrader_schema_tool
from upgrader_schema_session import Look, Session, Tool, Work, demand, demand_source, look_version

_OLD = "TIMESTAMPDIFF(SECOND, COALESCE(updated_at, created_at), UTC_TIMESTAMP()) > 2 * COALESCE(report_interval, 60)"


def look_ocata(session: Session) -> Look:
    return look_version(session, upgrader_phases.HEAT_OCATA)


def look_head(session: Session) -> Look:
    head = upgrader_schema_tool.heat(session)
    demand(
        head >= upgrader_phases.HEAT_OCATA,
        "the installed heat ends at {0}, Ocata's at {1}; install Ocata's".format(head, upgrader_phases.HEAT_OCATA),
    )
    return look_version(session, head)


def do_ocata(session: Session, tool: Tool, timeout: float) -> None:
    demand_source(session, upgrader_phases.SOURCE["heat"])
    tool.run(["db_sync", str(upgrader_phases.HEAT_OCATA)], timeout)


def do_head(session: Session, tool: Tool, timeout: float) -> None:
    tool.run(["db_sync"], timeout)


def unmoved(session: Session) -> typing.Dict[str, int]:
    """Rows whose properties are still in a column of their own row."""
    found = {}
    for word, table, column in (
        ("resources", "resource", "properties_data"),
        ("events", "event", "resource_properties"),
    ):
        moved = " AND rsrc_prop_data_id IS NULL" if session.has(table, "rsrc_prop_data_id") else ""
        statement = "SELECT COUNT(*) FROM {db}.`%s` WHERE %s IS NOT NULL%s" % (table, column, moved)
        found[word] = int(session.scalar(statement))
    return found


def look_properties(session: Session) -> Look:
    left = unmoved(session)
    pending = ", ".join("{0} {1}".format(count, word) for word, count in sorted(left.items()) if count)
    return Look(left, pending and "properties to be moved: " + pending, "no properties are left to be moved")


def do_properties(session: Session, tool: Tool, timeout: float) -> None:
    tool.run(["migrate_properties_data"], timeout)


def look_engines(session: Session) -> Look:
    """Engines that have not reported for twice their interval: on a copy, all those of the source."""
    statement = "SELECT COUNT(*), COALESCE(SUM({0}), 0) FROM {{db}}.service WHERE deleted_at IS NULL".format(_OLD)
    total, gone = (int(number) for number in session.rows(statement)[0])
    pending = "{0} engine(s) are gone and still registered".format(gone) if gone else ""
    return Look({"registered": total, "gone": gone}, pending, "no engine that is gone is registered")


def do_engines(session: Session, tool: Tool, timeout: float) -> None:
    tool.run(["service", "clean"], timeout)


WORK = {
    "ocata": Work(look_ocata, do_ocata),
    "head": Work(look_head, do_head),
    "properties": Work(look_properties, do_properties),
    "engines": Work(look_engines, do_engines),
}
