"""
The copy on the upgrade node, alone: its catalogue, its account in keystone, and the proof that nothing leads to production.

All of it is about clones: a configuration that names a database without ``_upgrade`` is refused.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.copy import account as copy_account
from upgrader_node.copy import catalogue as copy_catalogue
from upgrader_node.copy import proof
from upgrader_node.errors import told_as
from upgrader_node.host import names

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_copy"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def isolated(service):
    """
    Prove that a service's configuration, and for keystone the catalogue, names this node and the clones and nothing else.

    Raises CommandExecutionError with every place that leads away. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.isolated glance
    """
    with _told():
        return proof.isolated(pymysql, __pillar__, service, names.own(__opts__["id"], __grains__))


def all_isolated(services):
    """
    ``isolated`` for each of these services, and for nova its cells too.

    Raises CommandExecutionError with every place of every service that leads away.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.all_isolated services='[keystone, nova]'
    """
    wrong = []
    for service in services:
        try:
            isolated(service)
            if service == "nova":
                __salt__["upgrader_nova.assert_isolated"]()
        except CommandExecutionError as error:
            wrong.append(str(error))
    if wrong:
        raise CommandExecutionError("; ".join(wrong))
    return {"comment": "{} services lead to this node and the clones only".format(len(services))}


def may_start(service):
    """
    Whether a service may start here: a copy that is ``isolated``, or a controller of production that pillar
    ``upgrader:production`` calls so. A name that is neither is refused.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.may_start glance
    """
    with _told():
        return proof.may_start(pymysql, __pillar__, service, names.own(__opts__["id"], __grains__))


def catalogue():
    """
    Write the copy's catalogue: every endpoint leads to this node, Ocata's services are added, identity is v3 only.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.catalogue
    """
    with _told():
        role = proof.role_of_copy(__pillar__, "keystone")
        with proof.keystone(pymysql, role) as session:
            return copy_catalogue.rewrite(session, role, __pillar__)


def account(timeout=120):
    """
    Give the copy's keystone the one account that its services use, by ``keystone-manage bootstrap``.

    Name, password and project are pillar ``keystone:server:admin_name``, ``admin_password`` and ``admin_tenant``. So the
    upgrade node holds no password of production's.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.account
    """
    with _told():
        role = proof.role_of_copy(__pillar__, "keystone")
        return copy_account.bootstrap(pymysql, role, copy_account.of_services(role), timeout)


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
