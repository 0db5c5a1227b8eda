"""Whether what the services stand on serves: cache, queue, proxy, address, web server. Reads only."""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import required, serving
from upgrader_node.service import steady as steadiness

__virtualname__ = "upgrader_serving"


def __virtual__():
    return __virtualname__


def check(name, timeout=5):
    """
    Unit ``name`` is active and every place that its pillar binds takes a connection; the queue's account logs in.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_serving.check memcached
    """
    with told_as(CommandExecutionError):
        unit = serving.unit(name)
        if not __salt__["service.status"](unit):
            raise CommandExecutionError("unit {0} does not run on this node: see 'journalctl -u {0}'".format(unit))
        answer = serving.check(name, serving.addresses(name, __pillar__), timeout)
    if name == "rabbitmq":
        for virtual_host in sorted(
            host_pillar.value(__pillar__, required.foundation(__pillar__, name) + ":host", {}) or {}
        ):
            __salt__["upgrader_rabbitmq.serves"](virtual_host)
    return answer


def steady(units, patience=steadiness.PATIENCE):
    """
    These units stay up: each has been active without a break for some seconds. One that ends again and again is named.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_serving.steady '["keystone"]'
    """
    with told_as(CommandExecutionError):
        return steadiness.wait(__salt__, [units] if isinstance(units, str) else units, float(patience))
