"""Keystone's keys on every controller: those of the one on which they were made, sealed for each of the others.

The schema's first phase makes the keys on the controller that it runs on. Another controller with keys of its own would refuse that
one's tokens, and could read no credential. The keys go through Salt's answers and a journal, so each is sealed with the public key
of the very minion that is to have it (RSA, OAEP): nobody else can open it, and no password is needed. What is shown of a key is its
hash, as keystone itself writes it into its database.
"""

import base64
import binascii
import hashlib
import os
import subprocess
import tempfile
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files, records
from upgrader_node.schema.services import keystone
from upgrader_node.service import manage, oslo_conf

SECONDS = 30
OAEP = ("-pkeyopt", "rsa_padding_mode:oaep")
Answer = typing.Dict[str, typing.Any]
Sealed = typing.Mapping[str, typing.Mapping[str, typing.Mapping[str, str]]]
Keys = typing.Dict[int, bytes]


def folders(config_file: str) -> typing.Dict[str, str]:
    """The key repositories that keystone.conf names, by its sections."""
    conf = oslo_conf.parse_conf(oslo_conf.read_file(config_file, "keystone-manage", "upgrader.keystone.configured"))
    named = {
        section: conf.get(section, {}).get("key_repository") or usual for _, section, usual in keystone.REPOSITORIES
    }
    return {section: path.rstrip("/") for section, path in named.items()}


def seal(config_file: str, recipients: typing.Mapping[str, str]) -> Answer:
    """Every key of this controller, sealed for each recipient (minion id to public key)."""
    held = {section: _held(path) for section, path in folders(config_file).items()}
    empty = [path for section, path in folders(config_file).items() if not held[section]]
    if empty:
        raise StepError(
            "{} holds no key: run phase credential-keys of keystone on this node first".format(", ".join(empty))
        )
    sealed = {node: _sealed(held, public) for node, public in sorted(recipients.items())}
    return {
        "comment": "{} keys sealed for {} controller(s)".format(sum(map(len, held.values())), len(sealed)),
        "sealed": sealed,
        "hashes": {section: _hashes(found) for section, found in held.items()},
    }


def _held(path: str) -> Keys:
    return keystone.keys(path) if os.path.isdir(path) else {}


def _hashes(found: typing.Mapping[int, bytes]) -> typing.Dict[str, str]:
    return {str(number): hashlib.sha256(key.strip()).hexdigest() for number, key in sorted(found.items())}


def _sealed(
    held: typing.Mapping[str, typing.Mapping[int, bytes]], public: str
) -> typing.Dict[str, typing.Dict[str, str]]:
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as file:
        file.write(public)
        file.flush()
        words = ["-encrypt", "-pubin", "-inkey", file.name, *OAEP]
        return {
            section: {
                str(number): base64.b64encode(_openssl(words, key.strip())).decode("ascii")
                for number, key in found.items()
            }
            for section, found in held.items()
        }


def unseal(
    config_file: str, run: str, sealed: typing.Mapping[str, typing.Mapping[str, str]], private: str, hashes: Sealed
) -> Answer:
    """Give this controller the keys that were sealed for it. All are opened and looked at before anything is changed.

    What was there is moved to ``<folder>.before-RUN``. Keystone does not run meanwhile.

    :param private: path of this minion's own private key
    """
    records.plain(run)
    opened = {section: _opened(section, found, private) for section, found in sealed.items()}
    if {section: _hashes(found) for section, found in opened.items()} != {one: dict(hashes[one]) for one in hashes}:
        raise StepError(
            "what was opened are not the keys that were sealed: seal them again on the controller that has them"
        )
    places = folders(config_file)
    lacking = sorted(set(places) - {section for section, found in opened.items() if found})
    if lacking:
        raise StepError("no key of {} was sealed: seal them on the controller that has them".format(", ".join(lacking)))
    changed = [places[section] for section in sorted(places) if _give(places[section], opened[section], run)]
    return {
        "comment": "keys written: {}".format(", ".join(changed) or "none, all were there"),
        "changed": bool(changed),
    }


def _opened(section: str, found: typing.Mapping[str, str], private: str) -> Keys:
    try:
        texts = {int(number): base64.b64decode(text, validate=True) for number, text in found.items()}
    except (ValueError, binascii.Error):
        raise StepError("what was sealed of {} cannot be read: seal it again".format(section)) from None
    words = ["-decrypt", "-inkey", private, *OAEP]
    return {number: _openssl(words, text) for number, text in texts.items()}


def _openssl(words: typing.Sequence[str], given: bytes) -> bytes:
    """What openssl answers. Neither what goes in nor what comes out is ever told."""
    argv = ["openssl", "pkeyutl", *words]
    try:
        done = subprocess.run(
            argv, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepError("openssl cannot be run: {}".format(type(error).__name__)) from None
    if done.returncode or not done.stdout:
        what = "openssl pkeyutl {} ended with exit code {}: it was sealed for another minion, or the key is none of RSA"
        raise StepError(what.format(words[0], done.returncode))
    return done.stdout


def _give(path: str, wanted: Keys, run: str) -> bool:
    """The repository with exactly these keys, owned by keystone, in one rename."""
    user = manage.account("keystone")
    now = {number: key.strip() for number, key in _held(path).items()}
    if now == wanted and not keystone.trouble(path, user.name, user.uid, user.gid):
        return False
    if os.path.ismount(path):
        what = "{} is mounted from elsewhere and has other keys: mount the same folder on every controller, and run this again"
        raise StepError(what.format(path))
    beside = files.free_name("{}.new-{}".format(path, run))
    os.makedirs(beside, 0o700)
    for number, key in wanted.items():
        _write(os.path.join(beside, str(number)), key, user)
    os.chown(beside, user.uid, user.gid)
    files.sync(beside)
    if os.path.lexists(path):
        os.rename(path, files.free_name("{}.before-{}".format(path, run)))
    os.rename(beside, path)
    files.sync(os.path.dirname(path))
    return True


def _write(path: str, key: bytes, user: manage.Account) -> None:
    with files.whole(path, "wb", owned_as_folder=False) as file:
        file.write(key)
    os.chown(path, user.uid, user.gid)
