"""What must be so before a service starts."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats

__virtualname__ = "upgrader_copy"


def __virtual__():
    return __virtualname__


def may_start(name, service=None):
    """
    On a copy the service leads to this node and its clones only; for nova the cells count too. On a controller of
    production pillar ``upgrader:production`` says that it is one. Changes nothing.
    """
    service = service or name

    def look():
        answer = __salt__["upgrader_copy.may_start"](service)
        if service == "nova" and not answer["production"]:
            __salt__["upgrader_nova.assert_isolated"]()
        return answer["comment"]

    return beats.asserting(name, CommandExecutionError, look, __opts__["test"])
