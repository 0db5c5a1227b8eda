"""What makes a clean disk this machine and no other: names, Salt's keys, ssh's host key. Private halves go to the disk only."""

import os
import tempfile
import typing

from upgrader_node.vm import commands

BITS = "2048"
SSH_KEY = "/etc/ssh/ssh_host_ed25519_key"
Public = typing.Dict[str, typing.Any]


class Salt(typing.NamedTuple):
    """A minion on the new machine: its folder of configuration, where its master is, and where it keeps the master's modules.

    An empty ``modules`` says that it gets them when it is there, from its master.
    """

    folder: str
    master: str
    modules: str = ""


class Seed(typing.NamedTuple):
    """What a new machine is told: its minion id (nothing is told without one), its minions, text files by path, and the Salt
    modules of this version: their names below a minion's folder of modules, and where they are on this node.
    """

    minion_id: str = ""
    salts: typing.Tuple[Salt, ...] = ()
    files: typing.Mapping[str, str] = {}
    modules: typing.Mapping[str, str] = {}

    @property
    def hostname(self) -> str:
        return self.minion_id.partition(".")[0]


class Text(typing.NamedTuple):
    """A file of the new machine. Not to be shown: it may be a private key."""

    path: str
    text: str
    mode: int = 0o644

    def __repr__(self) -> str:
        return "Text({})".format(self.path)


def texts(sown: Seed) -> typing.Tuple[typing.List[Text], Public]:
    """Every file that makes the machine this one, with new keys, and the public halves. Two calls make different keys."""
    found = [Text("/etc/hostname", sown.hostname + "\n")]
    found += [Text(path, text) for path, text in sorted(sown.files.items())]
    minions = {}
    for salt in sown.salts:
        files, minions[salt.folder] = _minion(salt, sown.minion_id)
        found += files
    private, public = _host_key(sown.hostname)
    found += [Text(SSH_KEY, private, 0o600), Text(SSH_KEY + ".pub", public)]
    return found, {"minion_id": sown.minion_id, "minions": minions, "ssh": public.strip()}


def modules(sown: Seed) -> typing.List[Text]:
    """The Salt modules for each minion that says where it keeps them: in the window they need not be sent any more."""
    sources = {name: _read(path) for name, path in sorted(sown.modules.items())}
    return [
        Text(os.path.join(salt.modules, name), text)
        for salt in sown.salts
        if salt.modules
        for name, text in sources.items()
    ]


def _minion(salt: Salt, minion_id: str) -> typing.Tuple[typing.List[Text], str]:
    keys = os.path.join(salt.folder, "pki", "minion")
    private = commands.must(["openssl", "genrsa", BITS], "no key for the new minion")
    public = commands.must(["openssl", "rsa", "-pubout"], "no public key for the new minion", text=private)
    files = [
        Text(os.path.join(salt.folder, "minion_id"), minion_id + "\n"),
        Text(os.path.join(salt.folder, "minion.d", "upgrader.conf"), "master: {}\n".format(salt.master)),
        Text(os.path.join(keys, "minion.pem"), private, 0o400),
        Text(os.path.join(keys, "minion.pub"), public),
    ]
    return files, public


def _host_key(hostname: str) -> typing.Tuple[str, str]:
    """By ssh-keygen, in a folder of memory that only root reads, because it writes both halves itself."""
    with tempfile.TemporaryDirectory(prefix="upgrader-key-", dir="/dev/shm") as folder:
        path = os.path.join(folder, "key")
        comment = "root@" + hostname
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]
        commands.must(command, "no host key for the new machine")
        return _read(path), _read(path + ".pub")


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
