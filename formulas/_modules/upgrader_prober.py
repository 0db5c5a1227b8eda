"""
What users notice, measured: a small program on this node asks addresses over and over and writes down when each stops answering.

It is a process of its own, so it goes on while the minion restarts. A node that is rebooted ends it: ``start`` with the same run
goes on in the same file, and the summary says from when to when nobody watched.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.prober import control

__virtualname__ = "upgrader_prober"

HOURS = 12


def __virtual__():
    return __virtualname__


def start(run, targets, interval=0.5, hours=HOURS):
    """Watch these addresses from now on, each for itself, every ``interval`` seconds; a question has 2 s. One that runs is left alone.

    An HTTP status below 500 is an answer. An outage is told to the interval, and to 2 s where a target times out.
    Leaves behind: ``/var/lib/upgrader/prober/<run>.jsonl`` (0600), and a process that ends by ``stop``, or by itself.

    :param targets: names with URLs, ``http://``, ``https://`` or ``tcp://host:port``
    :param hours: after which it ends by itself; at most 72

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_prober.start run=RUN targets='{nova: "http://vip01:8774/", database: "tcp://vip01:3306"}'
    """
    with told_as(CommandExecutionError):
        return control.start(run, targets, float(interval), float(hours))


def stop(run):
    """End the prober of a run; its summary, as ``summary`` gives it. One that has ended already is no error.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_prober.stop run=RUN
    """
    with told_as(CommandExecutionError):
        return control.stop(run)


def summary(run):
    """What was seen so far, also while it runs: for each target its outages, seconds down, questions asked and its state now.

    Time in which the prober did not live is in ``not_watched``, and counts neither as up nor as down.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_prober.summary run=RUN
    """
    with told_as(CommandExecutionError):
        return control.seen(run)


def answering(run, patience=180):
    """Wait until every target of a running prober answers; seconds. Those that do not are named.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_prober.answering run=RUN
    """
    with told_as(CommandExecutionError):
        return control.answering(run, float(patience))
