"""
Packages of computes and gateways: what would change, approved by its digest; exactly that done; and the versions before put back.

A whole ``dist-upgrade`` is never done. What counts are OpenStack's packages and what they depend on, as the release path names
them (``nodes:packages``); qemu, libvirt, Open vSwitch and Contrail stay as they are unless they are included. Meant for apt.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.errors import StepError, told_as
from upgrader_node.host import lock
from upgrader_node.package import difference as package_difference
from upgrader_node.package import repositories, selection
from upgrader_node.package import restore as package_restore
from upgrader_node.package import upgrade as package_upgrade
from upgrader_node.release import delivery

__virtualname__ = "upgrader_package"


def __virtual__():
    return __virtualname__


def record(run):
    """
    Keep this node's package sources as they are, before they are changed. Once in a run; ``restore`` goes back to them.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_package.record run=RUN
    """
    with told_as(CommandExecutionError), lock.exclusively(lock.PACKAGES, "upgrader_package.record", run):
        return repositories.record(run)


def difference(include=(), exclude=(), release=None, run=None):
    """
    What an upgrade would do to this node's packages: each with its versions, its size in bytes and what happens to it; the digest.

    Refreshes the lists of packages, and changes nothing else. Raises when a source does not answer; findings say what would be
    removed, downgraded or stays held, and what it would touch that is to be left alone.

    :param include: groups (``qemu``, ``libvirt``, ``openvswitch``) or packages that are upgraded with the others
    :param exclude: packages that stay as they are
    :param run: the run that has changed this node's sources: what differs from now on is somebody else's, and ``restore`` leaves it

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_package.difference include='[qemu, libvirt]'
    """
    with told_as(CommandExecutionError), lock.exclusively(lock.PACKAGES, "upgrader_package.difference"):
        wanted = selection.wish(include, exclude)
        if run:
            repositories.note(run)
        return package_difference.take(_data(__pillar__, __salt__, release), __opts__["id"], wanted)


def upgrade(run, digest, include=(), exclude=(), allow=(), release=None):
    """
    Do what was approved by its digest. Refused when it would be something else now, and when it removes or downgrades what is not allowed.

    Configuration files stay as they are, and no service is started or restarted by a package meanwhile. A second call goes on where
    a cut one stood. Leaves behind ``/var/lib/upgrader/package/<run>.json`` with the versions before, and ``<run>.log`` beside it.

    :param digest: of ``difference``, with the same ``include`` and ``exclude``
    :param allow: packages that may be removed or downgraded, by name or pattern

    CLI Example:

    .. code-block:: bash

        salt 'cmp001*' upgrader_package.upgrade run=RUN digest=DIGEST
    """
    with told_as(CommandExecutionError), lock.exclusively(lock.PACKAGES, "upgrader_package.upgrade", run):
        if not isinstance(allow, (list, tuple)):
            raise StepError("allow must be a list of names of packages, not {!r}".format(allow))
        wanted = selection.wish(include, exclude)
        return package_upgrade.upgrade(_data(__pillar__, __salt__, release), run, digest, wanted, allow)


def restore(run):
    """
    The versions that this run found, from the sources that the node had then; what it installed is taken away again.

    Raises when one of them cannot be had any more. Services are not restarted.

    CLI Example:

    .. code-block:: bash

        salt 'cmp001*' upgrader_package.restore run=RUN
    """
    with told_as(CommandExecutionError), lock.exclusively(lock.PACKAGES, "upgrader_package.restore", run):
        return package_restore.restore(run)


def check(run):
    """
    Whether all that this run was approved for is there, by findings. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_package.check run=RUN
    """
    with told_as(CommandExecutionError):
        return package_restore.check(run, __opts__["id"])


def _data(pillar, salt, release):
    return delivery.release_path(pillar, salt["cp.get_file_str"], yaml, release).nodes
