"""
A state to require before anything is written: the model has all that a role needs.
"""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_model"


def __virtual__():
    return __virtualname__


def complete(name, role):
    """Pillar has every key that ``role`` (``nova:controller``) needs. Changes nothing; fails with all missing keys at once."""
    ret = {"name": name, "changes": {}, "result": True, "comment": "pillar has all keys that {0} needs".format(role)}
    try:
        lacking = __salt__["upgrader_model.missing"](role)
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
        return ret
    if lacking:
        told = "; ".join("{0} ({1})".format(entry["key"], entry["example"]) for entry in lacking)
        ret.update(
            result=False,
            comment="the model is incomplete, nothing was written: pillar lacks {0}; 'upgrader model check' names the"
            " file and the class".format(told),
        )
    return ret
