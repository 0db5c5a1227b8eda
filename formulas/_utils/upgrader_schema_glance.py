"""Glance from Mitaka's 44 of sqlalchemy-migrate to alembic: ``db sync`` puts it under alembic's control by itself.

``glance-manage db version`` cannot be asked: of a Mitaka database it says "not under migration control" and exits 0.
"""

import json
import os
import typing

import upgrader_phases
import upgrader_schema_tool
from upgrader_conf import StepError
from upgrader_schema_session import Look, Session, Tool, Work, demand, demand_source

# Where a later release keeps its metadata definitions when no configuration file says so.
METADEFS = "/etc/glance/metadefs"


def look_schema(session: Session) -> Look:
    """At the tool's last revision: Ocata's ``ocata01``, or a later tool's, for its API is not known to serve ocata01.

    A revision that the tool does not know is past it. The same release done by expand and contract ends in
    ``ocata_contract01``, which is the same schema.
    """
    revisions, marks = upgrader_schema_tool.glance(session), session.marks()
    target = revisions.heads[0]
    at = [revision.replace("_contract", "") for revision in marks.alembic]
    past = [revision for revision in marks.alembic if revision not in revisions.known]
    if past:
        return Look(marks.shown(), "", "the schema is at {0}, past {1}; nothing to do".format(", ".join(past), target))
    if target in at:
        return Look(marks.shown(), "", "the schema is at {0}".format(marks.shown()))
    return Look(marks.shown(), "the schema is at {0} instead of {1}".format(marks.shown(), target), "")


def do_schema(session: Session, tool: Tool, timeout: float) -> None:
    demand_source(session, upgrader_phases.SOURCE["glance"])
    tool.run(["db", "sync"], timeout)


def metadefs_folder(session: Session) -> str:
    return session.target.option("DEFAULT", "metadata_source_path", METADEFS).rstrip("/")


def _namespaces(folder: str) -> typing.Set[str]:
    """Names of the namespaces that the files of a folder define, one each."""
    found = set()
    try:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".json"):
                with open(os.path.join(folder, name), encoding="utf-8") as opened:
                    found.add(str(json.load(opened).get("namespace")))
    except (OSError, ValueError) as error:
        raise StepError("metadata definitions in {0} cannot be read: {1}".format(folder, error)) from None
    return found


def look_metadefs(session: Session) -> Look:
    """glance skips namespaces that are there, and loads none without complaint when the folder is missing or empty."""
    folder = metadefs_folder(session)
    wanted = _namespaces(folder)
    found = {str(row[0]) for row in session.rows("SELECT namespace FROM {db}.metadef_namespaces")}
    demand(
        wanted,
        "{0} holds no metadata definition; name the folder in [DEFAULT]/metadata_source_path".format(folder),
    )
    missing = sorted(wanted - found)
    left = "{0} of {1} namespaces are not loaded".format(len(missing), len(wanted)) if missing else ""
    return Look({"namespaces": len(found)}, left, "all {0} namespaces are loaded".format(len(wanted)))


def do_metadefs(session: Session, tool: Tool, timeout: float) -> None:
    tool.run(["db", "load_metadefs", "--path", metadefs_folder(session)], timeout)


WORK: typing.Mapping[str, Work] = {
    "schema": Work(look_schema, do_schema),
    "metadefs": Work(look_metadefs, do_metadefs),
}
