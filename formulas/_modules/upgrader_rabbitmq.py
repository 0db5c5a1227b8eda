"""The message queue of this node: whether its accounts may log in, and a password that changed."""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.service import queue

__virtualname__ = "upgrader_rabbitmq"


def __virtual__():
    return __virtualname__


def serves(virtual_host="/openstack", patience=90):
    """
    The account that pillar gives ``virtual_host`` logs in and opens it.

    Pillar is ``upgrader:service:rabbitmq`` or, where a node has none, the site's ``rabbitmq:server``.

    ``patience`` is in seconds: a fresh queue needs about ten until it listens.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_rabbitmq.serves
    """
    with told_as(CommandExecutionError):
        return queue.serves(_login(__pillar__, virtual_host), patience)


def account(virtual_host="/openstack", patience=90):
    """
    ``serves``; an account that is refused gets the pillar's password first. The password goes over stdin.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_rabbitmq.account
    """
    with told_as(CommandExecutionError):
        return queue.give(_login(__pillar__, virtual_host), patience)


def _login(values, virtual_host):
    return queue.login(values, virtual_host)
