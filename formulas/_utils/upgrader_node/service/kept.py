"""Configuration kept aside under an id: an archive with its own manifest, and the way back. Standard library only.

An archive is never overwritten, and what is put back never destroys what is there: it is renamed to ``<path>.before-<id>``.
"""

import hashlib
import json
import os
import shutil
import stat
import tarfile
import tempfile
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files

ROOT = "/var/backups/upgrader"


class Kept(typing.NamedTuple):
    """Where an archive is, and what it holds: ``{path: {relative name: what it is}}``."""

    archive: str
    sha256: str
    taken_at: str
    paths: typing.Dict[str, typing.Dict[str, str]]


def listing(path: str) -> typing.Dict[str, str]:
    """Every file below ``path`` (or the file itself, under "") as ``mode owner group digest``; empty when there is none."""
    held = {}  # type: typing.Dict[str, str]
    if os.path.islink(path) or os.path.isfile(path):
        return {"": _one(path)}
    for folder, names, plain in os.walk(path):
        for name in sorted(names + plain):
            whole = os.path.join(folder, name)
            held[os.path.relpath(whole, path)] = _one(whole)
    if os.path.isdir(path):
        held["."] = _one(path)
    return held


def _one(path: str) -> str:
    status = os.lstat(path)
    if os.path.islink(path):
        content = "-> " + os.readlink(path)
    elif os.path.isdir(path):
        content = "directory"
    elif not stat.S_ISREG(status.st_mode):
        content = "special"  # a socket or a pipe: reading it could wait for ever
    else:
        with open(path, "rb") as opened:
            content = hashlib.sha256(opened.read()).hexdigest()
    return "{0:o} {1} {2} {3}".format(status.st_mode, status.st_uid, status.st_gid, content)


def read(service: str, identity: str, root: str = ROOT) -> typing.Optional[Kept]:
    """What was kept under this id, or None."""
    path = _place(service, identity, root) + ".json"
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as opened:
            return Kept(**json.load(opened))
    except (ValueError, TypeError) as error:
        raise StepError("{0} cannot be read ({1}): it is no manifest of upgrader's".format(path, error)) from None


def require(service: str, identity: str, root: str = ROOT) -> Kept:
    """What was kept under this id. Raises StepError when there is nothing."""
    held = read(service, identity, root)
    if held is None:
        raise StepError("nothing of {0} was kept under {1}: apply upgrader.{0}.backup first".format(service, identity))
    return held


def keep(service: str, identity: str, paths: typing.Sequence[str], root: str = ROOT) -> Kept:
    """Archive ``paths``; those that are not there are left out, and at least one must be."""
    present = [os.path.normpath(path) for path in paths if os.path.lexists(path)]
    if not present:
        raise StepError("nothing to keep of {0}: none of {1} is there".format(service, ", ".join(paths)))
    place = _place(service, identity, root)
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        os.chmod(root, 0o700)
        return _write(place, present)
    except OSError as error:
        raise StepError("{0} cannot be kept: {1}".format(service, error)) from None


def _write(place: str, present: typing.Sequence[str]) -> Kept:
    """Archive and manifest, each whole or not at all; the manifest last."""
    held = {path: listing(path) for path in present}
    with files.whole(place + ".tar.gz", "wb") as opened:
        with tarfile.open(fileobj=opened, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
            for path in present:
                archive.add(path, arcname=path.lstrip("/"))
    taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    kept = Kept(place + ".tar.gz", _digest(place + ".tar.gz"), taken_at, held)
    with files.whole(place + ".json") as opened:
        json.dump(kept._asdict(), opened, indent=1, sort_keys=True)
    return kept


def differing(kept: Kept) -> typing.List[str]:
    """The kept paths that are not as they were."""
    return sorted(path for path, held in kept.paths.items() if listing(path) != held)


def put_back(kept: Kept, identity: str, leave: typing.AbstractSet[str] = frozenset()) -> typing.List[str]:
    """Put every path that differs back; what is there is moved aside first, and a path that held nothing stays away. Returns the paths.

    With ``leave`` those files stay as they are, and what is put back is put back file by file.
    """
    if _digest(kept.archive) != kept.sha256:
        raise StepError("{0} is not what was kept (its sha256 differs): nothing was put back".format(kept.archive))
    todo = [path for path in _files_that_differ(kept) if path not in leave] if leave else differing(kept)
    for path in todo:
        try:
            _put_back(kept.archive, path, identity)
        except OSError as error:
            raise StepError("{0} cannot be put back: {1}".format(path, error)) from None
    return todo


def _files_that_differ(kept: Kept) -> typing.List[str]:
    return sorted(file for path, held in kept.paths.items() for file in unlike(path, held, listing(path)))


def unlike(path: str, one: typing.Mapping[str, str], other: typing.Mapping[str, str]) -> typing.Set[str]:
    """The files of a path that are not the same in two listings of it; the path itself where it is one file."""
    names = {name for name in set(one) | set(other) if one.get(name) != other.get(name) and name != "."}
    return {os.path.join(path, name) if name else path for name in names}


def _put_back(archive_path: str, path: str, identity: str) -> None:
    with tempfile.TemporaryDirectory(prefix=".upgrader-", dir=os.path.dirname(path)) as beside:
        inside = path.lstrip("/")
        with tarfile.open(archive_path) as archive:
            members = [m for m in archive.getmembers() if m.name == inside or m.name.startswith(inside + "/")]
            if hasattr(tarfile, "fully_trusted_filter"):  # our own archive, by its digest: owners and modes as kept
                archive.extraction_filter = staticmethod(tarfile.fully_trusted_filter)
            archive.extractall(beside, members=members, numeric_owner=True)
        if os.path.lexists(path):
            _aside(path, identity)
        if members:  # else it was not there
            os.rename(os.path.join(beside, inside), path)


def _aside(path: str, identity: str) -> None:
    target, number = "{0}.before-{1}".format(path, identity), 1
    while os.path.lexists(target):
        number += 1
        target = "{0}.before-{1}.{2}".format(path, identity, number)
    shutil.move(path, target)


def _place(service: str, identity: str, root: str) -> str:
    for word in (service, identity):
        if not word or not all(letter.isalnum() or letter in "-_." for letter in word) or word[0] == ".":
            raise StepError("{0!r} is no name to keep things under: use letters, digits, - and _".format(word))
    return os.path.join(root, service, identity)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as opened:
        for block in iter(lambda: opened.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
