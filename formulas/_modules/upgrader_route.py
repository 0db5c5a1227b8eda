"""
The default routes of neutron's namespaces on a compute or a gateway: kept before its agents are changed, judged and repaired after.

An agent that lost the default route of floating addresses does not put it back: neutron 10.0.2 never, 10.0.7 at its next start (bugs
1698517 and 1702790). The external gateway answers all the same, so nothing but the route itself, and an address behind that
gateway, tell.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.host import lock
from upgrader_node.netns import state as files_of_neutron
from upgrader_node.route import control

__virtualname__ = "upgrader_route"


def __virtual__():
    return __virtualname__


def record(run):
    """Keep the devices, rules and routes of neutron's namespaces as they are. Once in a run: what was kept before stays.

    Leaves behind: ``/var/lib/upgrader/route/<run>.json`` (0600). A namespace that cannot be looked into is a warning.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_route.record run=RUN
    """
    with told_as(CommandExecutionError), lock.exclusively(control.ROUTES, "upgrader_route.record", run):
        return control.record(run, __opts__["id"])


def judge(run, release, repair=False, gateways=None, beyond="", patience=30, state=files_of_neutron.STATE):
    """Which default routes are missing, by the rule of that release's agents and by what ``record`` kept. Findings; blockers for each.

    :param release: ``mitaka`` or ``ocata``: whose agents run now
    :param repair: put each missing route and rule back, and prove it: the kernel takes it, and ``beyond`` answers by it
    :param gateways: the ``gateway_ip`` of every external subnet, as neutron has them; one that is not among them is not needed.
        By default what any table says, or said before
    :param beyond: an IPv4 address behind the external network's gateway, which answers echoes
    :param patience: seconds that the agents have for setting their routes
    :param state: neutron's ``state_path``

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_route.judge run=RUN release=ocata
    """
    with told_as(CommandExecutionError), lock.exclusively(control.ROUTES, "upgrader_route.judge", run):
        order = control.Order(__opts__["id"], str(run), release, gateways, beyond, float(patience), state)
        return control.judged(order, bool(repair))
