"""
Agents of computes and gateways, restarted: because their connections lead to what is gone (``reconnect``), or because their
packages or their configuration have changed (``restart``).

Instances are never touched. ``reconnect`` takes only ``nova-compute`` unless other services are named. ``neutron-openvswitch-agent`` is not
named by default: where it drops its flows at its start (``drop_flows_on_start``) instances lose seconds of traffic.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.compute import reconnect as connections
from upgrader_node.compute import restart as restarting
from upgrader_node.compute import units
from upgrader_node.errors import told_as
from upgrader_node.host import lock

__virtualname__ = "upgrader_compute"

SERVICES = ("nova-compute",)


def __virtual__():
    return __virtualname__


def check(services=SERVICES):
    """Which of these services this node has, and how they stand. Changes nothing.

    Returns findings: a blocker when none is there, a warning for each that does not run.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_compute.check
    """
    with told_as(CommandExecutionError):
        return units.check(__salt__, __opts__["id"], services)


def reconnect(run, services=SERVICES, patience=60):
    """Restart those of these services that run or start at boot, once in a run; each must then run by one process for five seconds.

    Leaves behind: ``/var/lib/upgrader/compute/<run>.json``, by which a second call of the same run restarts nothing. One that is
    stopped and not enabled is left so, one that is not there is named. Raises when none is there.

    :param patience: seconds that each service has to come up and last

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_compute.reconnect run=RUN
    """
    with told_as(CommandExecutionError), lock.exclusively(connections.SERVICES, "upgrader_compute.reconnect", run):
        return connections.reconnect(__salt__, run, services, float(patience))


def restart(run, services=(), patience=60):
    """Restart the agents whose process is older than their packages or their configuration, in order; all must then stay up.

    What needs no restart gets none, so a second call does nothing. One that is stopped and not enabled is left so. Open vSwitch
    is restarted only when it is named (``openvswitch-switch``): traffic stops for seconds meanwhile.

    :param services: names; by default the agents that computes and gateways have
    :param patience: seconds that all of them have to come up and last

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_compute.restart run=RUN
    """
    with told_as(CommandExecutionError), lock.exclusively(connections.SERVICES, "upgrader_compute.restart", run):
        return restarting.restart(__salt__, services, float(patience))
