"""What the services stand on serves. Changes nothing."""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_serving"


def __virtual__():
    return __virtualname__


def verified(name):
    """The unit is active and every place that its pillar binds takes a connection."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        ret["comment"] = __salt__["upgrader_serving.check"](name)["comment"]
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
    return ret
