"""
What this node's pillar lacks for a role of an Ocata controller. Reads pillar, changes nothing, shows no value.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.service import required

__virtualname__ = "upgrader_model"


def __virtual__():
    return __virtualname__


def missing(role):
    """
    The pillar keys that ``role`` needs and does not have, each with what to write there; an empty list when all are there.

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.missing nova:controller
    """
    with told_as(CommandExecutionError):
        return required.lacking(__pillar__, role)
