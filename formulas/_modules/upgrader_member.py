"""Keeps one member of the database cluster at a moment, founds the cluster from it, or gives it back. Every function may be cut off."""

from salt.exceptions import CommandExecutionError
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import told_as
from upgrader_node.host import lock, names, settings
from upgrader_node.restore import kept_back, kept_facts, kept_holding

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_member"

STOP_SECONDS, FOUND_SECONDS, JOIN_SECONDS = 900, 900, 3600


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check(run, holder, members):
    """Everything that stands in the way of keeping member ``holder``, as this node sees it. Changes nothing.

    :param holder: minion id of the member that is to be kept
    :param members: how many database nodes the model has
    Returns findings; one of severity ``blocker`` refuses.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_member.check run=RUN holder=dbs03.lab.local members=3
    """
    with _told():
        return kept_facts.check(_server(__opts__, __pillar__), run, holder, int(members), __salt__)


def hold(run, members, timeout=STOP_SECONDS):
    """Stop this member at its last write and keep its data directory as it is; it no longer starts at boot.

    Leaves behind: ``<datadir>.kept-RUN.json`` with its position. The others serve on without it.

    CLI Example:

    .. code-block:: bash

        salt 'dbs03*' upgrader_member.hold run=RUN members=3
    """
    with _told(), _alone("hold", run):
        return kept_holding.hold(_server(__opts__, __pillar__), run, int(members), timeout, __salt__)


def window(run, holder, members):
    """After a member was kept: whether its files are those of its receipt, or whether this member serves without it.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_member.window run=RUN holder=dbs03.lab.local members=3
    """
    with _told():
        return kept_facts.window(_server(__opts__, __pillar__), run, holder, int(members), __salt__)


def check_back(kept, run):
    """Whether this kept member can found the cluster: nobody started it, nobody changed its files. Changes nothing.

    :param kept: what ``hold`` answered as ``receipt``

    CLI Example:

    .. code-block:: bash

        salt 'dbs03*' upgrader_member.check_back kept='{...}' run=RUN
    """
    with _told():
        return kept_facts.check_back(_server(__opts__, __pillar__), kept, run, __salt__)


def check_other(kept, run, members):
    """Whether this member, which went on, can be put aside; and its seqno, when it can still say it. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_member.check_other kept='{...}' run=RUN members=3
    """
    with _told():
        return kept_facts.check_other(_server(__opts__, __pillar__), kept, run, int(members), __salt__)


def stop(run, timeout=STOP_SECONDS):
    """Stop a member that went on. One whose data this very run has put aside already is left alone.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_member.stop run=RUN
    """
    with _told(), _alone("stop", run):
        return kept_back.stop(run, timeout, __salt__)


def set_aside(kept, run):
    """Rename the data directory of a member that went on to ``<datadir>.before-RUN``; an empty one takes its place.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_member.set_aside kept='{...}' run=RUN
    """
    with _told(), _alone("set_aside", run):
        return kept_back.set_aside(__opts__["id"], kept, run, __salt__)


def found(kept, run, timeout=FOUND_SECONDS):
    """Start the kept member as the first of the cluster, at the moment at which it was kept.

    CLI Example:

    .. code-block:: bash

        salt 'dbs03*' upgrader_member.found kept='{...}' run=RUN
    """
    own = names.own(__opts__["id"], __grains__)
    with _told(), _alone("found", run):
        return kept_back.found(_server(__opts__, __pillar__), kept, run, own, timeout, __salt__)


def verify(kept, members):
    """Whether this node is a member of the whole cluster that was founded from the kept member.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_member.verify kept='{...}' members=3
    """
    with _told():
        return kept_facts.verify(_server(__opts__, __pillar__), kept, int(members))


def settle(kept, run):
    """Say in the receipt that the way back is at its end: no second one leads through this member.

    CLI Example:

    .. code-block:: bash

        salt 'dbs03*' upgrader_member.settle kept='{...}' run=RUN
    """
    with _told(), _alone("settle", run):
        return kept_back.settle(kept, run)


def check_rejoin(kept, members):
    """Whether the cluster that went on can take the kept member, and the member is still its own. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_member.check_rejoin kept='{...}' members=3
    """
    with _told():
        return kept_facts.check_rejoin(_server(__opts__, __pillar__), kept, int(members), __salt__)


def rejoin(kept, timeout=JOIN_SECONDS):
    """Start the kept member: it is sent what was written since (IST), or everything (SST). The way back by it is gone.

    CLI Example:

    .. code-block:: bash

        salt 'dbs03*' upgrader_member.rejoin kept='{...}'
    """
    with _told(), _alone("rejoin", kept["id"]):
        return kept_holding.rejoin(_server(__opts__, __pillar__), kept, timeout, __salt__)


def _server(opts, pillar):
    return LocalServer(opts["id"], pymysql, settings.client(pillar))


def _alone(function, run):
    """One step at a time on this node, also after the command that asked for it was killed."""
    return lock.exclusively(lock.RESTORE, "upgrader_member." + function, run)


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
