"""
What this node's pillar lacks for a role of an Ocata controller. Reads pillar, changes nothing, shows no value.
"""

import upgrader_required
from salt.exceptions import CommandExecutionError

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
    if role not in upgrader_required.REQUIRED:
        raise CommandExecutionError(
            "no role {0!r} is known; give one of {1}".format(role, ", ".join(sorted(upgrader_required.REQUIRED)))
        )
    return [{"key": key, "example": example} for key, example in upgrader_required.missing(__pillar__, role)]
