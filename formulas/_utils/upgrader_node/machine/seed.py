"""What makes a clean disk this machine and no other: names, Salt's keys, ssh's host key. Private halves never leave the node.

A disk that is one ext file system in a raw file (a container's root) is mounted and written to. Any other is refused by name.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import commands, moving

BITS = "2048"
MOUNTS = "/run/upgrader/seed"
EXT_MAGIC, EXT_MAGIC_AT = b"\x53\xef", 0x438
SSH_KEY = "etc/ssh/ssh_host_ed25519_key"
# What a base image may have of another machine; systemd makes a new machine-id where the file is empty.
FOREIGN = (
    "var/lib/dbus/machine-id",
    "etc/ssh/ssh_host_rsa_key",
    "etc/ssh/ssh_host_ecdsa_key",
    "etc/ssh/ssh_host_dsa_key",
)
Public = typing.Dict[str, typing.Any]


class Salt(typing.NamedTuple):
    """A minion on the new machine: its folder of configuration, and where its master is."""

    folder: str
    master: str


class Seed(typing.NamedTuple):
    """What a new machine is told: its minion id (nothing is told without one), its minions, and text files by path."""

    minion_id: str = ""
    salts: typing.Tuple[Salt, ...] = ()
    files: typing.Mapping[str, str] = {}


def is_filesystem(path: str) -> bool:
    """Whether the file is one ext file system, without a partition table."""
    with open(path, "rb") as file:
        file.seek(EXT_MAGIC_AT)
        return file.read(2) == EXT_MAGIC


def sow(disk: str, form: str, sown: Seed) -> Public:
    """Write a seed into a disk that nobody uses; the public keys by the folder of each minion, and of ssh. Raises StepError."""
    if not sown.minion_id:
        return {}
    if form != "raw" or not is_filesystem(disk):
        what = "{} is no raw file with an ext file system and cannot be written to from outside: take such an image, or leave the seed out"
        raise StepError(what.format(disk))
    with mounted(disk) as root:
        return write(root, sown)


def write(root: str, sown: Seed) -> Public:
    """The seed as files below a root. Public halves are answered."""
    hostname = sown.minion_id.partition(".")[0]
    _put(root, "etc/hostname", hostname + "\n")
    _put(root, "etc/machine-id", "")
    for name in FOREIGN:
        for path in (name, name + ".pub"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_below(root, path))
    for path, text in sorted(sown.files.items()):
        _put(root, path.lstrip("/"), text)
    public = {salt.folder: _minion(root, salt, sown.minion_id) for salt in sown.salts}
    return {"minion_id": sown.minion_id, "minions": public, "ssh": _host_key(root, hostname)}


@contextlib.contextmanager
def mounted(disk: str) -> typing.Iterator[str]:
    """A disk's file system in a folder that is gone afterwards; on the disk when this ends."""
    folder = os.path.join(MOUNTS, hashlib.sha256(disk.encode()).hexdigest()[:16])
    os.makedirs(folder, mode=0o700, exist_ok=True)
    # Of a call that was killed between mount and umount; what it wrote to is made anew.
    while os.path.ismount(folder):
        commands.must(["umount", folder], "what a killed call left mounted stays")
    try:
        options = "loop,nodev,nosuid,noexec"
        commands.must(["mount", "-t", "ext4", "-o", options, disk, folder], "{} cannot be mounted".format(disk))
        try:
            yield folder
        finally:
            commands.must(["umount", folder], "{} cannot be unmounted from {}".format(disk, folder))
    finally:
        os.rmdir(folder)


def _minion(root: str, salt: Salt, minion_id: str) -> str:
    folder = salt.folder.strip("/")
    keys = os.path.join(folder, "pki", "minion")
    _put(root, os.path.join(folder, "minion_id"), minion_id + "\n")
    _put(root, os.path.join(folder, "minion.d", "upgrader.conf"), "master: {}\n".format(salt.master))
    private = commands.must(["openssl", "genrsa", BITS], "no key for the new minion")
    _put(root, os.path.join(keys, "minion.pem"), private, 0o400, 0o700)
    pem = _below(root, os.path.join(keys, "minion.pem"))
    public = commands.must(["openssl", "rsa", "-in", pem, "-pubout"], "no public key for the new minion")
    _put(root, os.path.join(keys, "minion.pub"), public)
    return public


def _host_key(root: str, hostname: str) -> str:
    """By ssh-keygen, in a folder that only root reads, because it writes both halves itself."""
    with tempfile.TemporaryDirectory(prefix="upgrader-key-") as folder:
        path = os.path.join(folder, "key")
        commands.must(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "root@" + hostname, "-f", path],
            "no host key for the new machine",
        )
        private, public = _text(path), _text(path + ".pub")
    _put(root, SSH_KEY, private, 0o600)
    _put(root, SSH_KEY + ".pub", public)
    return public.strip()


def _put(root: str, path: str, text: str, mode: int = 0o644, folder_mode: int = 0o755) -> None:
    """A file of the new machine, never through a link of its image: that could lead out of it."""
    target = _below(root, path)
    os.makedirs(os.path.dirname(target), mode=folder_mode, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    moving.sync_folder(os.path.dirname(target))


def _below(root: str, path: str) -> str:
    """The path in the new machine, in this node's words. Raises StepError when a link of the image leads elsewhere."""
    folder = os.path.dirname(os.path.join(root, path))
    real = os.path.realpath(folder)
    if os.path.commonpath([real, os.path.realpath(root)]) != os.path.realpath(root):
        raise StepError("/{} of the base image leads out of it: take an image whose folders are no links".format(path))
    return os.path.join(real, os.path.basename(path))


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def require_tools() -> None:
    """Raises StepError when this node lacks a program that seeding needs."""
    missing = [name for name in ("openssl", "ssh-keygen", "mount") if shutil.which(name) is None]
    if missing:
        raise StepError("this node has no {}: install it before new machines are made".format(", ".join(missing)))
