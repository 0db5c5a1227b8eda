"""
Phases of the five services' upgrades as states: each reads what is there, does nothing when it is right, says what it
would do under ``test=True``, and otherwise calls execution module ``upgrader_schema``.
"""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_schema"


def __virtual__():
    return __virtualname__


def phase_done(name, service, phase):
    """Phase ``phase`` of ``service`` is done."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        found = __salt__["upgrader_schema.settled"](service, phase)
        if found["settled"]:
            ret["comment"] = found["comment"]
            return ret
        if __opts__["test"]:
            ret.update(result=None, comment="would run phase {0} of {1}: {2}".format(phase, service, found["comment"]))
            return ret
        done = __salt__["upgrader_schema.phase"](service, phase)
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
        return ret
    ret["comment"] = done["comment"]
    if done["changed"]:
        ret["changes"] = {"old": done["before"], "new": done["after"]}
    return ret


def verified(name, service):
    """Every phase of ``service`` is done. Changes nothing."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        ret["comment"] = __salt__["upgrader_schema.verify"](service)["comment"]
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
    return ret
