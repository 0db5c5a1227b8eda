"""Virtual machines of this foundation node: how they stand, off and on, defined and taken away. Off is asked of the guest first."""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.machine import blueprint, defining
from upgrader_node.vm import exclusive, finding, power

try:
    import libvirt
except ImportError:
    libvirt = None

__virtualname__ = "upgrader_vm"

STOP_SECONDS = 120


def __virtual__():
    return __virtualname__


def state(name):
    """How a domain stands: its state in virsh's words, and which driver of libvirt has it.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_vm.state ctl01.lab.local
    """
    with told_as(CommandExecutionError):
        return power.state(finding.host(__opts__["id"], libvirt), name)


def stop(name, timeout=STOP_SECONDS, hard=False):
    """Ask the guest to go off and wait for it. A domain that is off already is left so.

    :param timeout: seconds that the guest has
    :param hard: pull the plug when the time is over; without it the domain is left running and the call fails

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_vm.stop ctl01.lab.local timeout=180
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_vm.stop"):
        return power.stop(finding.host(__opts__["id"], libvirt), name, float(timeout), hard is True)


def start(name):
    """Start a domain; one that runs is left alone. Whether its guest answers is for others to see.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_vm.start ctl01.lab.local
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_vm.start"):
        return power.start(finding.host(__opts__["id"], libvirt), name)


def define(name, kind, cpus, memory, path, format="qcow2", bridges=(), seed="", autostart=False):
    """Define a machine from its sizes; one of that name that is off is defined anew and keeps its UUID.

    :param kind: ``kvm``, ``qemu`` or ``lxc``
    :param memory: MiB
    :param path: its disk, as ``upgrader_disk.place`` put it there
    :param bridges: one for each of its interfaces, whose addresses follow from the name
    :param seed: the disk for cloud-init that ``upgrader_disk.prepare`` answered

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_vm.define upg01.lab.local kvm cpus=8 memory=16384 path=/var/lib/libvirt/images/upg01/system.qcow2
    """
    wanted = blueprint.Machine(name, kind, int(cpus), int(memory), path, format, tuple(bridges), seed)
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_vm.define"):
        return defining.define(finding.host(__opts__["id"], libvirt), wanted, autostart is True)


def remove(name, run):
    """Take a machine away that is off: no longer defined, its disks moved to ``<disk>.removed-<run>``. None is no error.

    CLI Example:

    .. code-block:: bash

        salt 'kvm01*' upgrader_vm.remove upg01.lab.local run=20261129-1
    """
    with told_as(CommandExecutionError), exclusive.alone(name, "upgrader_vm.remove", run):
        return defining.remove(finding.host(__opts__["id"], libvirt), name, run)
