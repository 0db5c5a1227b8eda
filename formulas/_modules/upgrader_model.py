"""
What this node's pillar lacks for a role of an Ocata controller, what of it nobody reads, and what is written of it.
"""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.host import served
from upgrader_node.model import held_back, refusal, written
from upgrader_node.model import policy as model_policy
from upgrader_node.model import unread as model_unread
from upgrader_node.options import report as options_report
from upgrader_node.service import required

__virtualname__ = "upgrader_model"
KEYS = "salt://upgrader/openstack/files/pillar_keys.json"


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


def unread(role):
    """
    The keys below ``role`` that pillar sets, no state reads and pillar does not name as ignored. Names, never values.

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.unread nova:controller
    """
    with told_as(CommandExecutionError):
        required.lacking(__pillar__, role)
        return model_unread.refused(__pillar__, role, served.read(__salt__["cp.cache_file"], KEYS)[role])


def judged(role):
    """
    Whether the states of ``role`` can write what pillar says: a sentence, or an error that names every key at once.

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.judged nova:controller
    """

    def release(service):
        return served.read(cache_file, options_report.SOURCE.format(service))

    cache_file = __salt__["cp.cache_file"]
    with told_as(CommandExecutionError):
        return refusal.judge(__pillar__, role, served.read(cache_file, KEYS), release)


def foundation(service):
    """
    Where this node's ``memcached`` or ``rabbitmq`` is described: ``upgrader:service:memcached``, or ``memcached:server``.

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.foundation memcached
    """
    return required.foundation(__pillar__, service)


def is_copy(service):
    """
    Whether the service's database is a clone, by its name.

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.is_copy nova
    """
    return held_back.is_copy(__pillar__, service)


def role(service):
    """
    The service's role as templates read it: pillar's, and on a copy without what is held back. Holds passwords.

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.role nova
    """
    with told_as(CommandExecutionError):
        return held_back.role(__pillar__, service)


def configuration(service, text, ml2=False):
    """
    The service's file whose template gave ``text``, with pillar's plain keys and the pass-through. Holds passwords.

    :param ml2: it is neutron's ml2_conf.ini

    CLI Example:

    .. code-block:: bash

        salt upg01.lab.local upgrader_model.configuration nova '[DEFAULT]'
    """
    with told_as(CommandExecutionError):
        return written.configuration(__pillar__, service, text, ml2)


def domain(name):
    """
    The configuration of one of keystone's domains that has a directory of its own. Holds passwords.

    CLI Example:

    .. code-block:: bash

        salt ctl01.lab.local upgrader_model.domain customers
    """
    with told_as(CommandExecutionError):
        return written.domain(__pillar__, name)


def policy(service):
    """
    The rules that pillar gives the service beside its own, as JSON.

    CLI Example:

    .. code-block:: bash

        salt ctl01.lab.local upgrader_model.policy nova
    """
    with told_as(CommandExecutionError):
        return model_policy.text(__pillar__, service)
