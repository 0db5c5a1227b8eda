"""Cinder from Mitaka's 72 by Newton's 79 to Ocata's 96, its consistency groups made groups, its old services removed.

``online_data_migrations`` exits 0 whatever happens to it: its words and the database are what counts. It is of no use at
79, where it looks for a group type that comes with 86.
"""

import re
import typing

import upgrader_phases
from upgrader_conf import StepError
from upgrader_schema_session import Look, Session, Tool, Work, demand, demand_source, look_version

BATCH = 500
FAILED = re.compile(r"Error attempting to run (\w+)")
MOVABLE = ("available", "error", "deleting")
MIGRATE_GROUPS, PREFIX = "migrate_consistencygroups_to_groups", "VOLUME_"
_UNMOVED = (
    "SELECT {0} FROM {{db}}.consistencygroups c LEFT JOIN {{db}}.`groups` g ON g.id = c.id AND g.deleted = 0"
    " WHERE c.deleted = 0 AND g.id IS NULL"
)


def look_newton(session: Session) -> Look:
    return look_version(session, upgrader_phases.CINDER_NEWTON)


def look_ocata(session: Session) -> Look:
    return look_version(session, upgrader_phases.CINDER_OCATA)


def do_newton(session: Session, tool: Tool, timeout: float) -> None:
    demand_source(session, upgrader_phases.SOURCE["cinder"])
    tool.run(["db", "sync", str(upgrader_phases.CINDER_NEWTON)], timeout)


def do_ocata(session: Session, tool: Tool, timeout: float) -> None:
    tool.run(["db", "sync", str(upgrader_phases.CINDER_OCATA)], timeout)


def unmigrated(session: Session) -> typing.Dict[str, int]:
    """Rows that the online migrations have still to move, by what they are."""
    if not session.has("groups") or not session.has("messages"):
        total = session.scalar("SELECT COUNT(*) FROM {db}.consistencygroups WHERE deleted = 0")
        return {"consistency groups": int(total), "messages": 0}
    messages = "SELECT COUNT(*) FROM {db}.messages WHERE deleted = 0 AND event_id NOT LIKE %s"
    return {
        "consistency groups": int(session.scalar(_UNMOVED.format("COUNT(*)"))),
        "messages": int(session.scalar(messages, (PREFIX.replace("_", "\\_") + "%",))),
    }


def look_online(session: Session) -> Look:
    left = unmigrated(session)
    pending = ", ".join("{0} {1}".format(count, word) for word, count in sorted(left.items()) if count)
    return Look(left, pending and "left: " + pending, "no row is left to migrate")


def _dangling(session: Session) -> typing.List[str]:
    """Unmoved consistency groups that name a volume type which is not there: cinder dies of the first one."""
    types = {str(row[0]) for row in session.rows("SELECT id FROM {db}.volume_types")}
    return [
        str(identity)
        for identity, named in session.rows(_UNMOVED.format("c.id, c.volume_type_id") + " ORDER BY c.id")
        if not set((named or "").rstrip(",").split(",")) <= types
    ]


def _busy(session: Session) -> typing.List[str]:
    """Unmoved consistency groups that cinder passes over, because something is being done to them."""
    marks = ", ".join(["%s"] * len(MOVABLE))
    statement = _UNMOVED.format("c.id, c.status") + " AND c.status NOT IN ({0}) ORDER BY c.id".format(marks)
    return ["{0} ({1})".format(identity, status) for identity, status in session.rows(statement, MOVABLE)]


def do_online(session: Session, tool: Tool, timeout: float) -> None:
    """Batches until nothing is left; a batch that moves nothing ends it."""
    before = -1
    while sum(unmigrated(session).values()) not in (0, before):
        before = sum(unmigrated(session).values())
        outcome = tool.run(["db", "online_data_migrations", "--max_count", str(BATCH)], timeout, (0, 1))
        failed = sorted(set(FAILED.findall(outcome.stdout)))
        if failed:
            raise StepError(_why(session, failed, outcome.exit_code))
    busy = _busy(session)
    demand(
        not busy,
        "cinder passes over consistency group(s) {0}; end or reset what is being done to them in the source cloud"
        " and take a new copy".format(", ".join(busy[:10])),
    )


def _why(session: Session, failed: typing.Sequence[str], code: int) -> str:
    cause = ""
    dangling = _dangling(session) if MIGRATE_GROUPS in failed else []
    if dangling:
        cause = (
            "; consistency group(s) {0} name a volume type that is not there;"
            " correct volume_type_id in table consistencygroups, or delete the group, in the source cloud"
        ).format(", ".join(dangling[:10]))
    return "online migration {0} raised an exception though cinder-manage exited {1}; {2}{3}".format(
        ", ".join(failed), code, look_online(session).pending, cause
    )


def stale(session: Session) -> typing.List[typing.Tuple[str, str, str]]:
    """(binary, host, RPC version) of the live services that registered before Ocata."""
    statement = "SELECT `binary`, host, rpc_current_version FROM {db}.services WHERE deleted = 0 ORDER BY 1, 2"
    found = [tuple(str(value or "") for value in row) for row in session.rows(statement)]
    return [(binary, host, rpc) for binary, host, rpc in found if is_stale(binary, rpc)]


def is_stale(binary: str, rpc: str) -> bool:
    """Whether a service's RPC version is from before Ocata; one that never said any is older still."""
    major = rpc.partition(".")[0]
    return binary in upgrader_phases.CINDER_RPC and (
        not major.isdigit() or int(major) < upgrader_phases.CINDER_RPC[binary]
    )


def look_services(session: Session) -> Look:
    found = stale(session)
    state = ["{0} {1} {2}".format(*item).strip() for item in found]
    pending = "{0} service(s) of Mitaka are registered".format(len(found)) if found else ""
    return Look(state, pending, "no service of Mitaka is registered")


def do_services(session: Session, tool: Tool, timeout: float) -> None:
    """Ocata's scheduler dies at its start, and exits 0, of one cinder-volume at Mitaka's RPC 1.40."""
    for binary, host, _ in stale(session):
        tool.run(["service", "remove", binary, host], timeout)


WORK = {
    "newton": Work(look_newton, do_newton),
    "ocata": Work(look_ocata, do_ocata),
    "online": Work(look_online, do_online),
    "services": Work(look_services, do_services),
}
