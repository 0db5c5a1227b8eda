"""The definition of a new machine from its sizes. Pure: the same arguments give the same XML, addresses of its wires included."""

import hashlib
import typing
import uuid
from xml.sax.saxutils import quoteattr

from upgrader_node.errors import StepError

SPACE = uuid.UUID("5f6f0a4e-0d0b-4c5b-9f57-5a1d7a2b6c10")
KINDS = ("kvm", "qemu", "lxc")
LOOP_NAME = 63  # linux/loop.h: LO_NAME_SIZE, with its end
QEMU = """<domain type={kind}>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{cpus}</vcpu>
  <os><type arch='x86_64'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type={format} cache='none'/>
      <source file={path}/>
      <target dev='vda' bus='virtio'/>
    </disk>
{seed}{wires}    <serial type='pty'/>
    <console type='pty'/>
  </devices>
</domain>
"""
LXC = """<domain type={kind}>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{cpus}</vcpu>
  <os><type arch='x86_64'>exe</type><init>/sbin/init</init></os>
  <devices>
    <filesystem type='file' accessmode='passthrough'>
      <driver type='loop' format={format}/>
      <source file={path}/>
      <target dir='/'/>
    </filesystem>
{wires}    <console type='pty'/>
  </devices>
</domain>
"""
SEED = """    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file={path}/>
      <target dev='vdb' bus='virtio'/>
      <readonly/>
    </disk>
"""
WIRE = """    <interface type='bridge'>
      <mac address={mac}/>
      <source bridge={bridge}/>
{model}    </interface>
"""


class Machine(typing.NamedTuple):
    """A machine as it is wanted. ``memory`` in MiB, ``bridges`` in the order of its interfaces, ``seed`` a disk for cloud-init."""

    name: str
    kind: str
    cpus: int
    memory: int
    path: str
    format: str
    bridges: typing.Tuple[str, ...] = ()
    seed: str = ""


def uri(kind: str) -> str:
    """The driver of libvirt that a kind belongs to. Raises StepError for a kind that there is not."""
    if kind not in KINDS:
        raise StepError("there is no machine of kind {}: take one of {}".format(kind, ", ".join(KINDS)))
    return "lxc:///system" if kind == "lxc" else "qemu:///system"


def definition(wanted: Machine, identity: str = "") -> str:
    """Its XML. ``identity`` is the UUID of a machine that it takes the place of; without one it is made from the name."""
    if wanted.cpus < 1 or wanted.memory < 32:
        what = "{} is to have {} processors and {} MiB of memory: look at its size in the model"
        raise StepError(what.format(wanted.name, wanted.cpus, wanted.memory))
    if wanted.kind == "lxc" and len(wanted.path.encode()) > LOOP_NAME:
        what = "libvirt starts no container from a file whose path is longer than {} characters: {}"
        raise StepError(what.format(LOOP_NAME, wanted.path))
    wires = "".join(_wire(wanted, number, bridge) for number, bridge in enumerate(wanted.bridges))
    template = LXC if wanted.kind == "lxc" else QEMU
    return template.format(
        kind=quoteattr(wanted.kind),
        name=wanted.name,
        uuid=identity or str(uuid.uuid5(SPACE, wanted.name)),
        memory=wanted.memory,
        cpus=wanted.cpus,
        format=quoteattr(wanted.format),
        path=quoteattr(wanted.path),
        wires=wires,
        seed=SEED.format(path=quoteattr(wanted.seed)) if wanted.seed else "",
    )


def mac(name: str, number: int) -> str:
    """An address of qemu's own range that the same wire of the same machine always has."""
    digest = hashlib.sha256("{} {}".format(name, number).encode()).hexdigest()
    return "52:54:00:{}:{}:{}".format(digest[0:2], digest[2:4], digest[4:6])


def _wire(wanted: Machine, number: int, bridge: str) -> str:
    model = "" if wanted.kind == "lxc" else "      <model type='virtio'/>\n"
    return WIRE.format(mac=quoteattr(mac(wanted.name, number)), bridge=quoteattr(bridge), model=model)
