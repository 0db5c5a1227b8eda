"""What libvirt's XML says of a domain: its disks, and what of them this tool does not keep. Pure; format: libvirt.org/formatdomain."""

import typing
from xml.etree import ElementTree

from upgrader_node.errors import StepError

IGNORED_DEVICES = ("cdrom", "floppy")
SOURCES = {"file": "file", "block": "dev", "dir": "dir", "volume": "volume"}
INTO_A_FILE = "move it into a file (qemu-img convert) and name that in the definition"
BY_ITS_STORAGE = "keep it by its storage's own means and {}"
REFUSED_KINDS = {
    "block": ("is the block device {}", "take a snapshot of the volume yourself (lvcreate -s), or " + INTO_A_FILE),
    "network": ("is the network volume {}", "take a snapshot by its storage's means (rbd snap), or " + INTO_A_FILE),
    "volume": ("is volume {} of a storage pool", "name the volume's file in the definition"),
    "dir": ("is the folder {}", INTO_A_FILE),
}
Refusal = typing.Tuple[str, str]
Element = typing.Any


class Disk(typing.NamedTuple):
    """A disk: the guest's name of it (the mount point in a container), what it is made of, and why it is not kept, if so."""

    target: str
    kind: str
    source: str
    format: str
    refusal: typing.Optional[Refusal] = None


class Definition(typing.NamedTuple):
    """A domain as it is defined. ``refusals`` are of the whole domain, ``ignored`` are disks that hold nothing of its own."""

    name: str
    uuid: str
    kind: str
    disks: typing.Tuple[Disk, ...]
    ignored: typing.Tuple[str, ...]
    refusals: typing.Tuple[Refusal, ...]

    @property
    def files(self) -> typing.Tuple[Disk, ...]:
        """The disks that can be kept."""
        return tuple(disk for disk in self.disks if disk.refusal is None)


def read(xml: str) -> Definition:
    """Raises StepError when it is no domain's XML."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise StepError("libvirt's description of a domain cannot be read: {}".format(error)) from None
    if root.tag != "domain" or not root.findtext("name"):
        raise StepError("libvirt described a <{}> where a domain with a name was asked for".format(root.tag))
    disks = [_disk(one) for one in root.findall("devices/disk")]
    disks += [_filesystem(one) for one in root.findall("devices/filesystem") if root.get("type") == "lxc"]
    return Definition(
        root.findtext("name") or "",
        root.findtext("uuid") or "",
        root.get("type") or "",
        tuple(one for one in disks if isinstance(one, Disk)),
        tuple(one for one in disks if isinstance(one, str)),
        tuple(_refusals(root)),
    )


def _disk(element: Element) -> typing.Union[Disk, str]:
    """A disk, or the name of one that holds nothing of the domain's own."""
    target = _attribute(element, "target", "dev") or "a disk without a name"
    kind = element.get("type") or "file"
    if element.get("device", "disk") in IGNORED_DEVICES or element.find("readonly") is not None:
        return str(target)
    source = _source(element, kind)
    form = _attribute(element, "driver", "type") or "raw"
    return Disk(target, kind, source, form, _disk_refusal(element, kind, source))


def _source(element: Element, kind: str) -> str:
    if kind == "network":
        return "{}:{}".format(_attribute(element, "source", "protocol"), _attribute(element, "source", "name"))
    return _attribute(element, "source", SOURCES.get(kind, kind))


def _disk_refusal(element: Element, kind: str, source: str) -> typing.Optional[Refusal]:
    if kind in REFUSED_KINDS:
        what, remedy = REFUSED_KINDS[kind]
        return what.format(source or "without a name"), remedy
    if kind != "file":
        return "is of the kind {}, which is not known here".format(kind), INTO_A_FILE
    if not source.startswith("/"):
        return "names no file", "give it one, or take it out of the definition"
    if element.find("mirror") is not None:
        return "is being copied by a block job", "let the job end, or abort it (virsh blockjob)"
    if element.find("shareable") is not None:
        return "is shared with other domains", "keep it by hand, and take <shareable/> out of the definition meanwhile"
    if element.find("transient") is not None:
        return "forgets what is written (<transient/>)", "take it out of the definition"
    if element.find("encryption") is not None or element.find("source/encryption") is not None:
        return "is encrypted", BY_ITS_STORAGE.format("take it out of the definition")
    return None


def _filesystem(element: Element) -> typing.Union[Disk, str]:
    """What a container has in place of a disk. A folder of the host that is not its root is no part of it."""
    target = _attribute(element, "target", "dir")
    kind = element.get("type") or "mount"
    if kind == "file":
        source = _attribute(element, "source", "file")
        form = _attribute(element, "driver", "format") or "raw"
        return Disk(target, "file", source, form, _disk_refusal(element, "file", source))
    if kind == "block":
        source = _attribute(element, "source", "dev")
        return Disk(target, "block", source, "raw", _disk_refusal(element, "block", source))
    if target == "/":
        source = _attribute(element, "source", "dir") or _attribute(element, "source", "name")
        remedy = "make a file system in a file of it (mkfs.ext4 -d) and name that in the definition"
        return Disk(target, kind, source, "", ("is the folder {} and no disk".format(source), remedy))
    return target


def _refusals(root: Element) -> typing.Iterator[Refusal]:
    if root.find("os/nvram") is not None:
        yield "keeps state of its firmware in a file (<nvram>)", "start it by BIOS, or keep that file by hand"
    if root.find("devices/tpm/backend[@type='emulator']") is not None:
        yield "has an emulated TPM, whose state is not kept", "take the TPM out of the definition"


def _attribute(element: Element, child: str, name: str) -> str:
    found = element.find(child)
    return "" if found is None else found.get(name, "")
