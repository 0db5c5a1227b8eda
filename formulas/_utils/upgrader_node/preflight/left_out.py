"""A service that the plan leaves out, because the model says that another system keeps its records: told, and looked at."""

import typing

from upgrader_node.database import sql
from upgrader_node.preflight.question import BLOCKER, NEUTRON, NOTE, Finding, Names, Question, finding

NETWORKS = Question(
    "networks-left-out", NEUTRON, "networks", NOTE, "networks that neutron's own database does not keep",
    "nothing of them is cloned, migrated or verified, and the copy has no neutron",
    "upgrade Contrail by its own procedure, and compare 'openstack network list' before and after",
    "salt-formula-neutron, server.sls: no schema with engine contrail",
)  # fmt: skip
HELD = Question(
    "networks-held", NEUTRON, "networks", BLOCKER, "networks in the database of a neutron that the plan leaves out",
    "their schema would stay at the source release",
    "take contrail out of the model where it is not in use, or empty the database where it is",
    "salt-formula-neutron, server.sls: no schema with engine contrail",
)  # fmt: skip
QUESTIONS = (NETWORKS, HELD)
TABLE = "networks"


def ask(connection: typing.Any, database: str, why: str) -> typing.List[Finding]:
    """One note, or a blocker where the database holds networks all the same.

    :param database: the name that neutron's database would have; it need not be there
    :param why: what the model says, and of which node
    """
    names = Names(NEUTRON, (database,))
    held = _count(connection, database)
    if held:
        what = "{0}: {1} in {2}, though {3}; {4}".format(HELD.what, held, database, why, HELD.fails)
        return [finding(HELD, names, what, held, [database])]
    what = "neutron is left out: {0}, so Contrail keeps the networks; {1}".format(why, NETWORKS.fails)
    return [finding(NETWORKS, names, what, 0, [])]


def _count(connection: typing.Any, database: str) -> int:
    if TABLE not in sql.table_names(connection, database):
        return 0
    return int(sql.scalar(connection, "SELECT COUNT(*) FROM {0}.{1}".format(sql.identifier(database), TABLE)))
