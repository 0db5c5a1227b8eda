"""A Python environment that services run from."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats
from upgrader_node.service import venv

__virtualname__ = "upgrader_venv"


def __virtual__():
    return __virtualname__


def holds(name, packages):
    """The environment at ``name`` holds exactly these versions. Changes nothing: environments are built with the node's image.

    :param packages: name of each distribution to its version
    """
    return beats.asserting(name, CommandExecutionError, lambda: venv.holds(name, packages))
