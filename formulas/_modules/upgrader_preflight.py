"""Questions to the live source databases before anything moves. Reads only: the session itself is told to refuse a write."""

import json

from salt.exceptions import CommandExecutionError
from upgrader_node.database import connection as database_connection
from upgrader_node.host import pillar as host_pillar
from upgrader_node.preflight import ask

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_preflight"

SCHEMAS = "salt://upgrader/releases/{0}-schemas.json"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def databases(databases, versions, path="mitaka-ocata", repaired=(), listed=ask.FIRST, without=None):
    """Everything in the live databases of all services that would stop the upgrade or surprise its operator, in one go.

    :param databases: service to the names of its databases; nova's are the main one and the API's
    :param versions: database name to what its schema must be at
    :param path: name of the release path, whose derived schemas are compared with the live ones
    :param repaired: ids of findings that a step of the plan repairs; they warn instead of stopping
    :param listed: how many rows each finding names
    :param without: services that the plan leaves out: ``{neutron: {database: neutron, why: neutron:server:plugin is contrail}}``

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_preflight.databases databases='{nova: [nova, nova_api]}' versions='{nova: 319, nova_api: 7}'
    """
    schemas = _schemas(SCHEMAS.format(path), __salt__)
    account = host_pillar.value(__pillar__, database_connection.ADMIN, {})
    with database_connection.reading(pymysql, account, CommandExecutionError) as connection:
        session = ask.Session(connection, database_connection.errors(pymysql), versions, schemas, int(listed))
        findings = ask.ask_all(session, databases, repaired, without)
    return {"comment": ask.summary(findings), "findings": findings}


def _schemas(source, salt):
    """The derived schemas of both releases, from the master's file server."""
    path = salt["cp.cache_file"](source)
    if not path:
        raise CommandExecutionError(
            "the master does not serve {0}: its file_roots must hold the formulas of this version".format(source)
        )
    with open(path, encoding="utf-8") as opened:
        return json.load(opened)
