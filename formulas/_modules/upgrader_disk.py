"""Disks of virtual machines kept with a receipt, and put back from one. Nothing is ever overwritten; every call may be cut off."""

import os

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import StepError, told_as
from upgrader_node.host import sources
from upgrader_node.machine import disk, identity
from upgrader_node.vm import back as back_to
from upgrader_node.vm import check as gate
from upgrader_node.vm import discard as leftovers
from upgrader_node.vm import exclusive, finding, proof, receipts
from upgrader_node.vm import keep as keeping

try:
    import libvirt
except ImportError:
    libvirt = None

__virtualname__ = "upgrader_disk"
# Salt's own defaults (conf_file, cachedir).
USUAL_FOLDER, USUAL_MODULES = "/etc/salt", "/var/cache/salt/minion/extmods"


def __virtual__():
    return __virtualname__


def check(names, mode="rename", folder=""):
    """Everything that would stop the backup of these domains' disks, by name, before anything is touched. Changes nothing.

    :param names: the domains
    :param mode: ``rename`` (nothing is copied), ``reflink``, ``copy``, or ``live`` (before the window, the domain runs on)
    :param folder: where copies go; by default beside each disk
    Returns findings; one of severity ``blocker`` refuses the backup.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.check '["ctl01.lab.local"]'
    """
    with told_as(CommandExecutionError):
        return gate.check(_host(__opts__), [names] if isinstance(names, str) else names, mode, folder)


def keep(name, run, mode="rename", folder=""):
    """Keep the disks of a domain under names that hold the run, and answer the receipt. What is kept already is left.

    :param run: id of the run
    :param mode: as for ``check``; all but ``live`` want the domain off
    Leaves behind: ``<disk>.kept-<run>``, and after ``rename`` no disk.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.keep ctl01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_disk.keep", run):
        return keeping.keep(_host(__opts__), name, run, mode, folder)


def progress(name, run):
    """How much of what ``keep`` copies is there, in megabytes; takes no lock.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.progress ctl01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError):
        return keeping.progress(_host(__opts__), name, run)


def receipt(name, run):
    """The receipt that this node has of a run: also of a backup that was cut, which can go back as far as it came.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.receipt ctl01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError):
        return receipts.told(receipts.need(finding.RECEIPTS, run, name))


def hash(receipt):
    """Add to a receipt the sha256 of every kept disk. Reads whole disks: outside the window.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.hash receipt='{...}'
    """
    with told_as(CommandExecutionError), _alone("hash", receipt):
        return proof.hash_kept(finding.RECEIPTS, receipt, __opts__["id"])


def verify(receipt, content=True):
    """Kept disks against their receipt.

    :param content: every byte, where the receipt has hashes; without it size, time of the last write and ``qemu-img check``

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.verify receipt='{...}' content=False
    """
    with told_as(CommandExecutionError), _alone("verify", receipt):
        return proof.verify(finding.RECEIPTS, receipt, __opts__["id"], content is not False)


def restore(receipt, content=True):
    """Put the kept disks and the definition of a receipt back; the domain has to be off and is left off.

    What stands in their place is moved to ``<disk>.replaced-<run>``. A disk that differs from its receipt is refused before
    anything is moved.

    :param content: as for ``verify``; a plan that has just verified says False

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.restore receipt='{...}'
    """
    with told_as(CommandExecutionError), _alone("restore", receipt):
        return back_to.restore(_host(__opts__), receipt, content is not False)


def back(name, run, receipt=None):
    """Bring a domain's disks to where they were before a run, however far that run came; the domain has to be off and is left off.

    Where the run kept nothing, nothing is done. As ``restore``, without reading every byte: ``can_go_back`` does that.

    :param receipt: as the journal has it, for a node that has lost its own

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.back ctl01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_disk.back", run):
        return back_to.back(_host(__opts__), name, run, receipt)


def can_go_back(name, run, receipt=None):
    """Whether ``back`` would find every disk as it was kept: every byte where the receipt has hashes. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.can_go_back ctl01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_disk.can_go_back", run):
        return back_to.can_go_back(_host(__opts__), name, run, receipt)


def held(run):
    """Every file that a run left on this node, and the room that it takes. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.held run=20261129-1
    """
    with told_as(CommandExecutionError):
        return leftovers.held(_host(__opts__), run)


def discard(receipt):
    """Delete what a receipt kept, or what its way back moved aside: the operator's last word. There is no way back by it then.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.discard receipt='{...}'
    """
    with told_as(CommandExecutionError), _alone("discard", receipt):
        return leftovers.discard(_host(__opts__), receipt)


def prepare(name, run, path, base, sha256, format="qcow2", size=0, minion_id="", salts=(), files=None):
    """Make a clean disk from a base image, beside its place and before the window: ``<path>.new-<run>``.

    :param base: the image, a path on this node or ``salt://``, of the same format
    :param sha256: what the image's content has to be
    :param size: megabytes that the guest sees; 0 leaves it as the image is
    :param minion_id: seed it with this name, new keys of Salt and of ssh: into a file system (a container's root), else on a
        small disk for cloud-init, ``<path>.seed-<run>``
    :param salts: its minions, each ``{"folder": "/etc/salt", "master": "cfg01.lab.local"}``; one with ``modules`` (its folder of
        extension modules; ``/var/cache/salt/minion/extmods`` for ``/etc/salt``) gets this node's own modules of the tool into it,
        where the seed goes into a file system
    :param files: text files by path; ``network-config`` is cloud-init's
    The answer has the public keys; the private ones never leave the disks.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.prepare ctl01.lab.local run=20261129-1 path=/var/lib/libvirt/images/ctl01/system.qcow2 \\
            base=salt://images/xenial.qcow2 sha256=9f86d0... size=102400
    """
    ours = sources.modules(os.path.join(__opts__["cachedir"], "extmods"))
    sown = identity.Seed(minion_id, tuple(_minion(one) for one in salts), files or {}, ours)
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_disk.prepare", run):
        wanted = disk.Wanted(path, format, int(size))
        return disk.prepare(_host(__opts__), name, run, disk.Base(_local(__salt__, base), sha256), wanted, sown)


def place(name, run):
    """Put the disk that ``prepare`` made into its place, by a rename; the old one must have been kept.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_disk.place ctl01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_disk.place", run):
        return disk.place(_host(__opts__), name, run)


def _minion(said):
    folder = said["folder"]
    usual = USUAL_MODULES if folder == USUAL_FOLDER else ""
    return identity.Salt(folder, said["master"], said.get("modules", usual))


def _local(salt, base):
    if not base.startswith("salt://"):
        return base
    found = salt["cp.cache_file"](base)
    if not found:
        raise StepError("the Salt master serves no {}: put the base image there".format(base))
    return found


def _alone(function, receipt):
    return exclusive.of_receipt(receipt, "upgrader_disk." + function)


def _host(opts):
    return finding.host(opts["id"], libvirt)
