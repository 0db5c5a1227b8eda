"""
What the data plane of this node loses, measured: echoes from its network namespaces every 20 ms, answered or not.

"The agent is alive" is no proof that packets pass. A path is a class (``same-host``, ``cross-host``, ``routed``, ``floating-in``,
``floating-out``, ``snat``, or a name of the site's own), the namespace that asks, and the address that is asked; with ``source`` the
echo leaves in the name of that address, an instance's in its router. It is a process of its own, so it goes on while the minion
restarts; it ends by ``stop``, or by itself.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.paths import answering as path_answers
from upgrader_node.paths import choice, control, found

__virtualname__ = "upgrader_path"


def __virtual__():
    return __virtualname__


def find(beyond="", instances=found.INSTANCES):
    """The paths that this node's namespaces have, each as ``start`` and ``probe`` take it. Changes nothing.

    :param beyond: an IPv4 address *behind* the external network's gateway; without it no path leaves the cloud, and the gateway
        itself answers too when the default route is gone
    :param instances: names of the namespaces that stand for instances, with ``*`` and ``?``

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.find beyond=198.51.100.1
    """
    with told_as(CommandExecutionError):
        return choice.find(beyond, instances)


def probe(paths=None, beyond="", instances=found.INSTANCES):
    """Ask each path five times now; which answer, and why one does not. Changes nothing.

    :param paths: as ``find`` gives them; by default those

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.probe paths='[{class: snat, namespace: qrouter-ID, address: 198.51.100.1}]'
    """
    with told_as(CommandExecutionError):
        return control.probe(choice.given_or_found(paths, beyond, instances))


def start(run, paths=None, interval_ms=20, hours=4, beyond="", instances=found.INSTANCES):
    """Ask each path every ``interval_ms`` from now on. Those that run are left alone; a run keeps its first paths when none are given.

    Given paths are asked whether they answer or not; of the found ones those that do, and ``silent`` names the others. A node
    that has no path is told so, and is no failure. Leaves behind: ``/var/lib/upgrader/path/<run>.jsonl`` (0600), and a process.

    :param interval_ms: milliseconds, 10 to 1000
    :param hours: after which it ends by itself; at most 24

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.start run=RUN beyond=198.51.100.1
    """
    with told_as(CommandExecutionError):
        return choice.start(run, paths, int(interval_ms), float(hours), beyond, instances)


def answering(run, patience=60):
    """Whether every path that this run asks answers, within ``patience`` seconds. A blocker for each that does not; changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.answering run=RUN
    """
    with told_as(CommandExecutionError):
        return control.answering(run, __opts__["id"], float(patience))


def stop(run):
    """End the echoes of a run; what was lost, as ``summary`` gives it. Those that have ended already are no error.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.stop run=RUN
    """
    with told_as(CommandExecutionError):
        return control.stop(run)


def summary(run):
    """What was lost so far, also while it runs: for each path and each class echoes sent and lost, and the longest gap in seconds.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.summary run=RUN
    """
    with told_as(CommandExecutionError):
        return control.seen(run)


def answering(run, patience=60):
    """Every path that the run asked answers. Findings: a blocker for each that answered before and does not any more. Changes nothing.

    :param patience: seconds in which each may come back

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_path.answering run=RUN
    """
    with told_as(CommandExecutionError):
        return path_answers.answering(str(run), __opts__["id"], float(patience))
