"""
A state to require before anything is written: the model has all that a role needs, and nothing that would be dropped.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats

__virtualname__ = "upgrader_model"


def __virtual__():
    return __virtualname__


def complete(name, role):
    """
    Pillar has every key that ``role`` (``nova:controller``) needs, and every key that it sets is read.

    Changes nothing; fails with all missing keys at once, or else with all keys that no state reads.
    """
    return beats.asserting(name, CommandExecutionError, lambda: __salt__["upgrader_model.judged"](role))
