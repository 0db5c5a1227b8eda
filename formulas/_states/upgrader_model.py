"""
A state to require before anything is written: the model has all that a role needs.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats
from upgrader_node.service import required

__virtualname__ = "upgrader_model"


def __virtual__():
    return __virtualname__


def complete(name, role):
    """Pillar has every key that ``role`` (``nova:controller``) needs. Changes nothing; fails with all missing keys at once."""

    def look():
        required.refuse(__salt__["upgrader_model.missing"](role))
        return "pillar has all keys that {0} needs".format(role)

    return beats.asserting(name, CommandExecutionError, look)
