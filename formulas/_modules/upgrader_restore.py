"""Puts the whole database cluster back to one backup, by renames. Every function looks at the world first and may be cut off."""

import socket

from salt.exceptions import CommandExecutionError
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings
from upgrader_node.restore import afterwards, exchange, facts, membership

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_restore"

STOP_SECONDS, FOUND_SECONDS, JOIN_SECONDS = 900, 900, 3600


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check(receipt, members, another_cluster=False):
    """Everything that would stop a restore of this backup on this node, before anything is touched.

    :param receipt: the receipt, as ``upgrader_store.require_proven`` answers it
    :param members: how many database nodes the model has
    :param another_cluster: accept a backup of another Galera cluster
    Returns findings; one of severity ``blocker`` refuses the restore.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.check receipt='{...}' members=3
    """
    with _told():
        return facts.check(_server(__opts__, __pillar__), receipt, int(members), another_cluster, __salt__)


def intended(receipt, run, founder):
    """What a restore would do on this node, in the order in which it would do it, with the paths of this node. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.intended receipt='{...}' run=RUN founder=dbs01.lab.local
    """
    with _told():
        return facts.intended(__opts__["id"], receipt, run, founder, __salt__)


def progress(receipt):
    """How far ``place`` is: megabytes of the copy that are on this node's disk.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_restore.progress receipt='{...}'
    """
    with _told():
        return exchange.progress(receipt)


def place(receipt, timeout=14400):
    """Fetch the archive, unpack and prepare it beside the data directory; the server runs on. A finished copy is kept.

    Leaves behind: ``<datadir>.prepared-<id>`` with a mark that is written last; without the mark it is made anew.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.place receipt='{...}'
    """
    with _told(), _alone("place", receipt["id"]):
        return exchange.place(settings.client(__pillar__), receipt, timeout)


def stop(run, timeout=STOP_SECONDS):
    """Stop the database server and prove that it is: by its service, and by no process on its files.

    A server that runs on what this very run has put in place already is left alone.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.stop run=RUN
    """
    with _told(), _alone("stop", run):
        return exchange.stop(run, timeout, __salt__)


def swap(receipt, run, founder):
    """Rename the data directory aside and the prepared copy into its place. What was there before is kept.

    A crash at any moment leaves either folder whole under a name that the next call knows.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.swap receipt='{...}' run=RUN founder=dbs01.lab.local
    """
    with _told(), _alone("swap", run):
        return exchange.swap(__opts__["id"], receipt, run, founder, __salt__)


def found(receipt, run, timeout=FOUND_SECONDS):
    """Start the first server on the restored files: it founds the cluster, or just starts where there is none.

    No option file is touched, and nothing is left that would make its next start found a second cluster.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_restore.found receipt='{...}' run=RUN
    """
    own = [__opts__["id"], socket.gethostname(), __grains__.get("fqdn", "")]
    own += list(__grains__.get("ipv4", [])) + list(__grains__.get("ipv6", []))
    with _told(), _alone("found", run):
        return membership.found(_server(__opts__, __pillar__), receipt, run, own, timeout, __salt__)


def join(receipt, run, timeout=JOIN_SECONDS):
    """Start this server and wait until it is a synced member of the cluster that the first one founded.

    Its files are at the cluster's own position, so it is sent only the writes since then (IST), or everything (SST) where
    those are no longer held; both are right, the second takes longer.

    CLI Example:

    .. code-block:: bash

        salt 'dbs02*' upgrader_restore.join receipt='{...}' run=RUN
    """
    with _told(), _alone("join", run):
        return membership.join(_server(__opts__, __pillar__), receipt, run, timeout, __salt__)


def verify(receipt, run, members):
    """This node after the restore: member of the whole cluster, and every table as it was at the backup.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.verify receipt='{...}' run=RUN members=3
    """
    with _told(), _alone("verify", run):
        return afterwards.verify(_server(__opts__, __pillar__), receipt, run, int(members), __salt__)


def _server(opts, pillar):
    return LocalServer(opts["id"], pymysql, settings.client(pillar))


def _alone(function, run):
    """One step of a restore at a time on this node, also after the command that asked for it was killed."""
    return lock.exclusively(lock.RESTORE, "upgrader_restore." + function, run)


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
