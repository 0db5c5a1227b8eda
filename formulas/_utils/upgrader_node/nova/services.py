"""Rows that API processes of an older nova wrote about themselves: they never report in, and what they say stays true for ever.

nova 15 asks for the least version among live ``nova-osapi_compute`` (compute/api.py ``API._get_instance``), and below 15 it looks at
no build request: ``server create`` followed at once by a GET answers 404, every time, as long as one such row of Mitaka's is there.
A process of Ocata's renews the row of its own host and listen address (service.py ``WSGIService``), not that of a host or an address
that is gone. So they go by their id, before anything of Ocata starts, and are written anew by what does start.
"""

import typing

from upgrader_node.release.path import Phase
from upgrader_node.schema import removal
from upgrader_node.schema.session import Done, Look, Session, Tool

# Marked as nova's own ``service_destroy`` marks a row (db/sqlalchemy/api.py, ``soft_delete``).
SERVICES = removal.Kind(
    "service",
    "services",
    "deleted = 0",
    "deleted = id, deleted_at = UTC_TIMESTAMP()",
    "CONCAT_WS(' ', `binary`, 'on', host, 'version', version)",
)


def stale(session: Session, phase: Phase) -> removal.Names:
    """Live rows of the phase's binaries below the version that it names for each: by id, with host and version."""
    found = session.rows("SELECT id, `binary`, version FROM {db}.services WHERE deleted = 0 ORDER BY id")
    ids = {str(identity) for identity, binary, version in found if is_stale(phase.args, str(binary or ""), version)}
    return {identity: name for identity, name in removal.live(session, SERVICES).items() if identity in ids}


def is_stale(least: typing.Mapping[str, int], binary: str, version: typing.Optional[int]) -> bool:
    """Whether a row is of a binary that is named and below its version. The server takes no notice of case, so neither does this."""
    return binary.lower() in least and int(version or 0) < least[binary.lower()]


def look(session: Session, phase: Phase) -> Look:
    old, release = stale(session, phase), session.path.source.capitalize()
    pending = "{0} API service(s) of {1} are registered".format(len(old), release) if old else ""
    return Look(list(old.values()), pending, "no API service of {0} is registered".format(release))


def do(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    return removal.remove(session, SERVICES, stale(session, phase))
