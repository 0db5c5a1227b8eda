"""Computes that run the target release already, by the version that each of them writes into nova's services."""

import typing

from upgrader_node.clone.clones import Admin
from upgrader_node.database import connection as database_connection
from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.host import findings
from upgrader_node.release.path import ReleasePath

AHEAD = "SELECT host, version FROM {}.services WHERE deleted = 0 AND `binary` = 'nova-compute' AND version >= %s ORDER BY host"
UNKNOWN = "the databases do not answer ({}), so nobody can say whether a compute runs {} already: look at them before you go back"
REMEDY = "take those computes back first: an older control plane does not understand them"
Answer = typing.Dict[str, typing.Any]


def at_source(admin: Admin, release: ReleasePath, database: str) -> Answer:
    """Refuses, by findings, while a compute is ahead. Databases that do not answer stop nobody: they may be what goes back."""
    least, target = release.service("nova").compute, release.target.capitalize()
    if not least:
        return {
            "comment": "the release path does not say which version computes of {} have".format(target),
            "findings": [],
        }
    try:
        ahead = _ahead(admin, database, least)
    except StepError as error:
        said = findings.finding(database, UNKNOWN.format(error, target), "", "warning")
        return {"comment": "not known", "findings": [said]}
    wrong = [
        findings.finding(host, "nova-compute of {} runs {} (service version {})".format(host, target, version), REMEDY)
        for host, version in ahead
    ]
    return {"comment": "{} computes run {}".format(len(wrong), target), "findings": wrong}


def _ahead(admin: Admin, database: str, least: int) -> typing.List[typing.Tuple[str, int]]:
    with database_connection.reading(admin.driver, admin.account, StepError) as session:
        if not sql.schema_exists(session, database):
            raise StepError("there is no database {}".format(database))
        return [(row[0], int(row[1])) for row in sql.rows(session, AHEAD.format(sql.identifier(database)), (least,))]
