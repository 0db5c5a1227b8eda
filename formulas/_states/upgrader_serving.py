"""What the services stand on serves. Changes nothing."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats

__virtualname__ = "upgrader_serving"


def __virtual__():
    return __virtualname__


def verified(name):
    """The unit is active and every place that its pillar binds takes a connection."""
    return beats.asserting(name, CommandExecutionError, lambda: __salt__["upgrader_serving.check"](name)["comment"])


def steady(name, units):
    """The units of a service stay up, which a start alone does not show. Under ``test=True`` they may not be there yet."""
    look = lambda: __salt__["upgrader_serving.steady"](units)["comment"]  # noqa: E731
    return beats.asserting(name, CommandExecutionError, look, __opts__["test"])
