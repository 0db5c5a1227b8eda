"""
Production made quiet for the window: the services of a controller stopped in order, its ports silent, its databases still.

Which units a service has says the release path, as for ``upgrader_schema``. What ran before stands in
``/var/lib/upgrader/window/RUN.json`` of the node; nothing is enabled or disabled.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError, told_as
from upgrader_node.host import lock, settings
from upgrader_node.release import delivery
from upgrader_node.window import ports as listeners
from upgrader_node.window import quiet, stopping

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_window"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check(services, without=(), release=None):
    """Which units of these services this node has and which are active. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_window.check services='[keystone, nova]'
    """
    with _told():
        path = _path(__pillar__, __salt__, release)
        return stopping.check(__salt__, stopping.units(path, services, without))


def stop(run, services, without=(), kinds=(), release=None):
    """Stop the units of these services: APIs, then schedulers, conductors and engines, identity last. Twice is no error.

    :param without: units that stay as they are, e.g. ``[apache2]``
    :param kinds: ``apis``, ``workers``, ``identity``; all of them by default
    Leaves behind: the receipt of what ran. Each unit is judged by its status within 60 s.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_window.stop run=RUN services='[keystone, nova]'
    """
    with _told(), lock.exclusively(lock.WINDOW, "upgrader_window.stop", run):
        path = _path(__pillar__, __salt__, release)
        return stopping.stop(__salt__, run, stopping.units(path, services, without, kinds))


def start(run):
    """Start what ran on this node before ``stop`` of this run, in reverse order. Twice is no error.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_window.start run=RUN
    """
    with _told(), lock.exclusively(lock.WINDOW, "upgrader_window.start", run):
        return stopping.start(__salt__, run)


def listening(ports, address=""):
    """Which of these TCP ports this node listens on. With ``address``: those that take connections to it. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_window.listening ports='[5000, 8774]'
    """
    with _told():
        found = listeners.among(listeners.read(), [int(port) for port in ports], address)
        return {
            "comment": "listening: {}".format(", ".join(map(str, found)) or "none"),
            "listening": list(map(str, found)),
        }


def silent(ports, address=""):
    """None of these TCP ports is listened on by this node, as the kernel says.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_window.silent ports='[5000, 8774]' address=10.0.0.11
    """
    with _told():
        found = listeners.among(listeners.read(), [int(port) for port in ports], address)
        if found:
            what = "something still listens on {}: find it with 'ss -ltnp' and stop it"
            raise StepError(what.format(", ".join(map(str, found))))
        return {"comment": "nobody listens on {}".format(", ".join(map(str, ports)))}


def connections(accounts, patience=60):
    """On a database node: wait until no connection of these accounts is left and the cluster's position stands still for 3 s.

    :param accounts: names of database accounts, e.g. ``[nova, keystone]``
    Answers ``position``, the last seqno; None for a server that stands alone.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_window.connections accounts='[nova, keystone]'
    """
    server = LocalServer(__opts__["id"], pymysql, settings.client(__pillar__))
    with told_as(CommandExecutionError, driver=pymysql), server.connect() as connection:
        return quiet.wait(connection, accounts, float(patience))


def _path(pillar, salt, release):
    return delivery.release_path(pillar, salt["cp.get_file_str"], yaml, release)


def _told():
    return told_as(CommandExecutionError)
