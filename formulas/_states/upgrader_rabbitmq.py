"""Accounts of this node's message queue."""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_rabbitmq"


def __virtual__():
    return __virtualname__


def account(name):
    """The account that pillar gives virtual host ``name`` logs in."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        if __opts__["test"]:
            ret["comment"] = __salt__["upgrader_rabbitmq.serves"](name, patience=0)["comment"]
            return ret
        done = __salt__["upgrader_rabbitmq.account"](name)
    except CommandExecutionError as error:
        ret.update(result=None if __opts__["test"] else False, comment=str(error))
        return ret
    ret["comment"] = done["comment"]
    if done["changed"]:
        ret["changes"] = {"old": "refused", "new": "logs in"}
    return ret
