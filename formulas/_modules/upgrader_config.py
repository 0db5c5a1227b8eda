"""
Configuration of computes and gateways: kept by run and put back, and what Ocata wants merged into the files that are there.

Nothing else in those files changes. Of the network's agents what must not change under running traffic is written down as what
it was: Open vSwitch's interfaces, the external bridge, and that flows stay at a start.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.configuration import applying, saving
from upgrader_node.configuration import wanted as configuration_wanted
from upgrader_node.errors import told_as

__virtualname__ = "upgrader_config"


def __virtual__():
    return __virtualname__


def save(run):
    """
    Keep ``/etc/nova`` and ``/etc/neutron`` of this node, in archives that only root reads. Once in a run.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_config.save run=RUN
    """
    with told_as(CommandExecutionError):
        return saving.save(run)


def restore(run):
    """
    Put back what this run kept; what is there now is beside it as ``.before-<run>``. A node where it kept nothing is left as it is.

    CLI Example:

    .. code-block:: bash

        salt 'cmp001*' upgrader_config.restore run=RUN
    """
    with told_as(CommandExecutionError):
        return saving.restore(run)


def differing(role):
    """
    The options of a ``compute`` or a ``gateway`` that are not as Ocata wants them, by file and name, never a value. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'cmp001*' upgrader_config.differing compute
    """
    with told_as(CommandExecutionError):
        return applying.differing(configuration_wanted.of(role, __pillar__))


def merge(role):
    """
    Write those options into the files that are there: placement's account and the images' address for nova, the network's as they were.

    CLI Example:

    .. code-block:: bash

        salt 'cmp001*' upgrader_config.merge compute
    """
    with told_as(CommandExecutionError):
        return applying.merge(configuration_wanted.of(role, __pillar__))


def pin(run):
    """
    Write what the network's agents have to keep as this run's ``save`` found it: for files that a site's own states wrote.

    CLI Example:

    .. code-block:: bash

        salt 'cmp001*' upgrader_config.pin run=RUN
    """
    with told_as(CommandExecutionError):
        return applying.merge(applying.of_run(run))


def pinned(run, role="compute"):
    """
    By findings: the network's options are what they were before this run, flows stay at a start, and a compute has placement's account.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_config.pinned run=RUN role=compute
    """
    with told_as(CommandExecutionError):
        return applying.pinned(run, __opts__["id"], role)
