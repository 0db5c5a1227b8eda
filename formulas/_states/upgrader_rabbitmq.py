"""Accounts of this node's message queue."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats

__virtualname__ = "upgrader_rabbitmq"


def __virtual__():
    return __virtualname__


def account(name):
    """The account that pillar gives virtual host ``name`` logs in. Looking is trying, so the module looks and acts in one."""
    if __opts__["test"]:
        return beats.asserting(
            name, CommandExecutionError, lambda: __salt__["upgrader_rabbitmq.serves"](name, patience=0)["comment"], True
        )

    def act():
        return dict(__salt__["upgrader_rabbitmq.account"](name), before="refused", after="logs in")

    return beats.changing(name, False, CommandExecutionError, lambda: beats.Standing(False, ""), act)
