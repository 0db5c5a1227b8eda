"""A machine's identity on a small disk of its own, which cloud-init reads at the first boot (datasource NoCloud).

The disk is a FAT file system with the label CIDATA, and in it ``user-data``, ``meta-data`` and, where one was given,
``network-config`` (cloudinit.readthedocs.io, "NoCloud"). It holds private keys: only root reads its file.
"""

import json
import os
import tempfile
import typing

from upgrader_node.machine.identity import SSH_KEY, Seed, Text
from upgrader_node.vm import commands, copying

LABEL, KILOBYTES = "CIDATA", "1024"
NETWORK = "network-config"


def documents(sown: Seed, texts: typing.Sequence[Text], instance: str) -> typing.Dict[str, str]:
    """The files of the disk, by name. JSON is YAML; ``instance`` is what tells cloud-init that this is a first boot.

    A text file whose path is ``network-config`` is cloud-init's own and none of the machine's.
    """
    by_path = {one.path: one for one in texts}
    private, public = by_path.pop(SSH_KEY), by_path.pop(SSH_KEY + ".pub")
    network = by_path.pop(NETWORK, None)
    config = {
        "hostname": sown.hostname,
        "fqdn": sown.minion_id,
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": private.text, "ed25519_public": public.text.strip()},
        "write_files": [
            {"path": one.path, "content": one.text, "permissions": "{:04o}".format(one.mode), "owner": "root:root"}
            for one in by_path.values()
        ],
    }
    found = {
        "user-data": "#cloud-config\n" + json.dumps(config, indent=1) + "\n",
        "meta-data": json.dumps({"instance-id": instance, "local-hostname": sown.hostname}) + "\n",
    }
    return found if network is None else dict(found, **{NETWORK: network.text})


def make(path: str, files: typing.Mapping[str, str]) -> None:
    """The disk with these files, made anew; on disk when this returns. Raises StepError."""
    copying.forget(path)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.truncate(path, int(KILOBYTES) * 1024)
    commands.must(["mkfs.vfat", "-n", LABEL, path], "no disk for cloud-init")
    with tempfile.TemporaryDirectory(prefix="upgrader-seed-", dir="/dev/shm") as folder:
        for name, text in sorted(files.items()):
            inside = os.path.join(folder, name)
            with open(inside, "w", encoding="utf-8") as file:
                file.write(text)
            commands.must(["mcopy", "-i", path, inside, "::" + name], "{} is not written for cloud-init".format(name))
    with open(path, "rb") as file:
        os.fsync(file.fileno())
