"""The keys of minions as a Salt master keeps them: one file for each minion id, in one folder for each thing that it thinks of it.

``minions`` are accepted, ``minions_pre`` wait, ``minions_denied`` came under an id that another key has. Public halves only.
A master of Salt 3007 and later may keep several denied keys in one packed file: whatever the form, the keys are found in it.
"""

import hashlib
import os
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files

FOLDER = "/etc/salt/pki/master"
ACCEPTED = "minions"
OTHERS = {"pending": "minions_pre", "denied": "minions_denied", "rejected": "minions_rejected"}
_PLAIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PUBLIC KEY-----.*?-----END (?:[A-Z]+ )?PUBLIC KEY-----", re.DOTALL)


def plain(node: str) -> str:
    """The minion id. Raises StepError for one that is no plain name: it becomes part of paths."""
    if not _PLAIN.match(node):
        raise StepError("{!r} is no minion id of letters, digits, dot, dash and underscore".format(node))
    return node


def public(node: str, text: str) -> str:
    """A key's text as it goes into a file. Raises StepError, without the text, for what is no single public key."""
    found = _KEY.findall(text.encode("utf-8", "replace"))
    if len(found) != 1 or "PRIVATE" in text:
        raise StepError("what was given for {} is no public key in PEM: give the minion's minion.pub".format(node))
    return str(found[0].decode("ascii", "replace")) + "\n"


def fingerprint(key: str) -> str:
    """As ``salt-key -F`` shows it: sha256 over the lines between the first and the last (``salt.utils.crypt.pem_finger``)."""
    lines = [line for line in key.strip().splitlines(True) if line.strip()]
    digest = hashlib.sha256("".join(lines[1:-1]).encode("utf-8")).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def path(pki_dir: str, folder: str, node: str) -> str:
    return os.path.join(pki_dir, folder, plain(node))


def keys(where: str) -> typing.List[str]:
    """The keys in one file, none where there is no file. A file without any is a key that nobody can read, and said so."""
    try:
        with open(where, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StepError("{} cannot be read: {}".format(where, error.strerror)) from None
    found = [str(one.decode("ascii", "replace")) + "\n" for one in _KEY.findall(content)]
    if not found:
        raise StepError("{} holds no public key: look at it, and at 'salt-key -L'".format(where))
    return found


def accepted(pki_dir: str, node: str) -> str:
    """The accepted key of a minion, or ""."""
    if not os.path.isdir(os.path.join(pki_dir, ACCEPTED)):
        what = "{} is no folder of a Salt master's keys: run this on the master's own node, or name its pki_dir"
        raise StepError(what.format(pki_dir))
    return (keys(path(pki_dir, ACCEPTED, node)) or [""])[0]


def accept(pki_dir: str, node: str, key: str) -> None:
    """Make this the accepted key, whole or not at all.

    The file is made outside the folder: whatever is in there the master takes for a minion of that name.
    """
    beside = os.path.join(pki_dir, ".upgrader-" + plain(node))
    with files.whole(beside, permissions=0o644, owned_as_folder=True) as file:
        file.write(key)
    os.replace(beside, path(pki_dir, ACCEPTED, node))
    files.sync(os.path.join(pki_dir, ACCEPTED))


def others(pki_dir: str, node: str) -> typing.Dict[str, typing.List[str]]:
    """Keys that came under this id and are not accepted: ``{"denied": [key]}``; only what there is."""
    found = {word: keys(path(pki_dir, folder, node)) for word, folder in OTHERS.items()}
    return {word: held for word, held in found.items() if held}
