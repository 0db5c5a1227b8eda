"""Cinder: by the release between to the target's schema, its consistency groups made groups, its old services removed.

``online_data_migrations`` exits 0 whatever happens to it: its words and the database are what counts. It is of no use at
Newton's schema, where it looks for a group type that comes with Ocata's migration 86.
"""

import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.release.path import Phase
from upgrader_node.schema import removal
from upgrader_node.schema.session import Done, Look, Service, Session, Tool, Work, demand, demand_source, look_version

BATCH = 500
FAILED = re.compile(r"Error attempting to run (\w+)")
MOVABLE = ("available", "error", "deleting")
SERVICES = removal.Kind(
    "service",
    "services",
    "deleted = 0",
    "deleted = 1, deleted_at = UTC_TIMESTAMP()",
    "CONCAT_WS(' ', `binary`, COALESCE(NULLIF(host, ''), 'without host'), rpc_current_version)",
)
MIGRATE_GROUPS, PREFIX = "migrate_consistencygroups_to_groups", "VOLUME_"
_UNMOVED = (
    "SELECT {0} FROM {{db}}.consistencygroups c LEFT JOIN {{db}}.`groups` g ON g.id = c.id AND g.deleted = 0"
    " WHERE c.deleted = 0 AND g.id IS NULL"
)


def look_schema(session: Session, phase: Phase) -> Look:
    return look_version(session, phase.args["version"])


def do_schema(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    demand_source(session)
    tool.run(["db", "sync", str(phase.args["version"])], timeout)


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


def look_online(session: Session, phase: Phase) -> Look:
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


def do_online(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    """Batches until nothing is left; a batch that moves nothing ends it."""
    before = -1
    while sum(unmigrated(session).values()) not in (0, before):
        before = sum(unmigrated(session).values())
        outcome = tool.run(["db", "online_data_migrations", "--max_count", str(BATCH)], timeout, (0, 1))
        failed = sorted(set(FAILED.findall(outcome.stdout)))
        if failed:
            raise StepError(_why(session, failed, outcome.exit_code, look_online(session, phase).pending))
    busy = _busy(session)
    demand(
        not busy,
        "cinder passes over consistency group(s) {0}; end or reset what is being done to them in the source cloud"
        " and take a new copy".format(", ".join(busy[:10])),
    )


def _why(session: Session, failed: typing.Sequence[str], code: int, left: str) -> str:
    cause = ""
    dangling = _dangling(session) if MIGRATE_GROUPS in failed else []
    if dangling:
        cause = (
            "; consistency group(s) {0} name a volume type that is not there;"
            " correct volume_type_id in table consistencygroups, or delete the group, in the source cloud"
        ).format(", ".join(dangling[:10]))
    return "online migration {0} raised an exception though cinder-manage exited {1}; {2}{3}".format(
        ", ".join(failed), code, left, cause
    )


def stale(session: Session, phase: Phase) -> removal.Names:
    """Live services that registered before the target release: by id, with binary, host and RPC version."""
    old = "SELECT id, `binary`, rpc_current_version FROM {db}.services WHERE deleted = 0 ORDER BY id"
    ids = {str(row[0]) for row in session.rows(old) if is_stale(phase.args, str(row[1] or ""), str(row[2] or ""))}
    return {identity: name for identity, name in removal.live(session, SERVICES).items() if identity in ids}


def is_stale(majors: typing.Mapping[str, int], binary: str, rpc: str) -> bool:
    """Whether a service's RPC version is below the target release's ``majors``; one that never said any is older still."""
    major = rpc.partition(".")[0]
    return binary in majors and (not major.isdigit() or int(major) < majors[binary])


def look_services(session: Session, phase: Phase) -> Look:
    old, release = stale(session, phase), session.path.source.capitalize()
    pending = "{0} service(s) of {1} are registered".format(len(old), release) if old else ""
    return Look(list(old.values()), pending, "no service of {0} is registered".format(release))


def do_services(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Ocata's scheduler dies at its start, and exits 0, of one cinder-volume at Mitaka's RPC 1.40.

    Marked as ``service_destroy`` of cinder 10 (db/sqlalchemy/api.py) marks a row.
    """
    return removal.remove(session, SERVICES, stale(session, phase))


WORKS = {
    "schema": Work(look_schema, do_schema, commands=("db sync",)),
    "online": Work(look_online, do_online, commands=("db online_data_migrations --max_count",)),
    "services": Work(look_services, do_services),
}

SERVICE = Service("cinder-manage", "/etc/cinder/cinder.conf", WORKS)
