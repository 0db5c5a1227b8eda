"""
Rows that only a service's own code can judge, run through that code, read only.

On the upgrade node ``rows`` judges all rows of a copy. Of the live databases the backup node reads pages (``page``), and the
upgrade node, which has the code and no account there, judges them (``judge``). See docs/preflight.md for the kinds of rows.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.database import connection as database_connection
from upgrader_node.host import pillar as host_pillar
from upgrader_node.probe import asking, kinds, live
from upgrader_node.upgrade import opening
from upgrader_node.upgrade.services import SERVICES

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_probe"

MINUTE = 60


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def _node(pillar, opts, salt):
    return opening.Node(pillar, opts["cachedir"], salt["cp.get_file_str"], pymysql, yaml, CommandExecutionError)


def rows(service, timeout=120 * MINUTE, listed=asking.LISTED, release=None):
    """
    Judge every row of a service's copy that only its own code can judge. Writes nothing.

    :param timeout: seconds for all rows
    :param listed: how many rows each finding names

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_probe.rows nova
    """
    node = _node(__pillar__, __opts__, __salt__)
    with opening.errors(node):
        reason = opening.owned(node, service, release)
    if reason:
        return {"comment": reason, "findings": [], "probed": {}}
    with opening.session(node, service, release) as session:
        return asking.copy(session, timeout, int(listed))


def ready(service, release=None):
    """
    Whether this node has the service's code, so that ``judge`` can run it.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_probe.ready nova
    """
    node = _node(__pillar__, __opts__, __salt__)
    with opening.errors(node):
        return asking.ready(_code(node, service, release))


def page(service, kind, databases, after=None, counted=False):
    """
    Read one page of the live rows of a kind, as the admin account, in a session that refuses every write; locks nothing.

    :param databases: names of the service's databases; nova's are the main one and the API's
    :param after: key of the last row of the page before, as that page answered it
    :param counted: say as well how many rows there are

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_probe.page nova flavors databases='[nova, nova_api]' counted=True
    """
    wanted = _kind(service, kind)
    account = host_pillar.value(__pillar__, database_connection.ADMIN, {})
    with database_connection.reading(pymysql, account, CommandExecutionError) as connection:
        return live.page(connection, wanted, databases, wanted.first if after is None else after, counted)


def judge(service, databases, pages, release=None):
    """
    Run the installed service's own code over pages of live rows. Asks no database.

    :param pages: each with its ``kind``, and ``packed`` as ``page`` answered it

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_probe.judge nova databases='[nova, nova_api]' pages='[{kind: flavors, packed: eJyLjgUAARUAuQ==}]'
    """
    node = _node(__pillar__, __opts__, __salt__)
    for one in pages:
        _kind(service, one["kind"])
    with opening.errors(node):
        return asking.pages(_code(node, service, release), databases, pages)


def _code(node, service, release):
    """How the service's code is found on this node."""
    key = opening.service_path(node, service, release).role
    return asking.Code(service, SERVICES[service], host_pillar.value(node.pillar, key, {}) or {}, key)


def _kind(service, kind):
    try:
        return kinds.named(service, kind)
    except KeyError as error:
        raise CommandExecutionError(str(error.args[0])) from None
