"""Glance: from sqlalchemy-migrate to alembic, under whose control ``db sync`` puts it by itself.

``glance-manage db version`` cannot be asked: of a Mitaka database it says "not under migration control" and exits 0.
"""

import json
import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.release.path import Phase
from upgrader_node.schema import installed
from upgrader_node.schema.session import Look, Service, Session, Tool, Work, demand, demand_source

# glance hands its database URL to alembic, in SQLAlchemy's spelling, which quotes :@/ and not %, into a configuration that
# takes % for its own: a password with one of those ends glance-manage with ValueError or as another password. So alembic
# gets the URL as the configuration file spells it, with every % doubled, as later releases of glance do.
GLANCE_MANAGE = """\
import sys
from alembic import config
from oslo_config import cfg
plain_option = config.Config.set_main_option
def spelled(self, name, value):
    if name == 'sqlalchemy.url':
        value = cfg.CONF.database.connection.replace('%', '%%')
    plain_option(self, name, value)
config.Config.set_main_option = spelled
"""

# Where a later release keeps its metadata definitions when no configuration file says so.
METADEFS = "/etc/glance/metadefs"


def look_schema(session: Session, phase: Phase) -> Look:
    """At the tool's last revision: Ocata's ``ocata01``, or a later tool's, for its API is not known to serve ocata01.

    A revision that the tool does not know is past it. The same release done by expand and contract ends in
    ``ocata_contract01``, which is the same schema.
    """
    revisions, marks = installed.glance(session), session.marks()
    target = revisions.heads[0]
    at = [revision.replace("_contract", "") for revision in marks.alembic]
    past = [revision for revision in marks.alembic if revision not in revisions.known]
    if past:
        return Look(marks.shown(), "", "the schema is at {0}, past {1}; nothing to do".format(", ".join(past), target))
    if target in at:
        return Look(marks.shown(), "", "the schema is at {0}".format(marks.shown()))
    return Look(marks.shown(), "the schema is at {0} instead of {1}".format(marks.shown(), target), "")


def do_schema(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    demand_source(session)
    tool.run(["db", "sync"], timeout)


def metadefs_folder(session: Session) -> str:
    return session.target.option("DEFAULT", "metadata_source_path", METADEFS).rstrip("/")


def _namespaces(folder: str) -> typing.Set[str]:
    """Names of the namespaces that the files of a folder define, one each."""
    names = set()
    try:
        for file in sorted(os.listdir(folder)):
            if file.endswith(".json"):
                with open(os.path.join(folder, file), encoding="utf-8") as opened:
                    names.add(str(json.load(opened).get("namespace")))
    except (OSError, ValueError) as error:
        raise StepError("metadata definitions in {0} cannot be read: {1}".format(folder, error)) from None
    return names


def look_metadefs(session: Session, phase: Phase) -> Look:
    """glance skips namespaces that are there, and loads none without complaint when the folder is missing or empty."""
    folder = metadefs_folder(session)
    wanted = _namespaces(folder)
    loaded = {str(row[0]) for row in session.rows("SELECT namespace FROM {db}.metadef_namespaces")}
    demand(
        wanted,
        "{0} holds no metadata definition; name the folder in [DEFAULT]/metadata_source_path".format(folder),
    )
    missing = sorted(wanted - loaded)
    left = "{0} of {1} namespaces are not loaded".format(len(missing), len(wanted)) if missing else ""
    return Look({"namespaces": len(loaded)}, left, "all {0} namespaces are loaded".format(len(wanted)))


def do_metadefs(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    tool.run(["db", "load_metadefs", "--path", metadefs_folder(session)], timeout)


WORKS: typing.Mapping[str, Work] = {
    "schema": Work(look_schema, do_schema, commands=("db sync",)),
    "metadefs": Work(look_metadefs, do_metadefs, commands=("db load_metadefs --path",)),
}

SERVICE = Service("glance-manage", "/etc/glance/glance-api.conf", WORKS, GLANCE_MANAGE)
