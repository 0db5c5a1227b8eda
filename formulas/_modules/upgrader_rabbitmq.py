"""The message queue of this node: whether its accounts may log in, a password that changed, and whether its queues are empty."""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.service import draining, queue

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


def drained(vhost="/openstack", patience=120, ignore=()):
    """
    Wait until no queue of the virtual host has messages that are ready or unacknowledged.

    Left out are ``reply_*`` and ``*_fanout_*``, which nobody reads any more once the services are stopped, and
    ``notifications.*``, which many clouds never read: those are named as notes.

    :param patience: seconds
    :param ignore: more patterns of queues to leave out, e.g. ``[compute.cmp009*]`` for a host that is down

    CLI Example:

    .. code-block:: bash

        salt 'msg01*' upgrader_rabbitmq.drained vhost=/openstack
    """
    with told_as(CommandExecutionError):
        return draining.drained(lambda: draining.read(vhost), float(patience), ignore)


def _login(values, virtual_host):
    return queue.login(values, virtual_host)
