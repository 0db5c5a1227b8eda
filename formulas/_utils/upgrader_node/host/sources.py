"""Hashes over what this tool ships for Salt, taken the same way from a checkout, from the master's files and on a node.

Stale extension modules on a node are the commonest silent failure of a Salt-driven tool: the new state calls the old
module and nobody sees it. A stale or shadowed template on the master is the next one. So a run compares both with the
command's own before it does anything.
"""

import hashlib
import os
import typing

FOLDERS = ("modules", "states", "utils")
PREFIX, SOURCE = "upgrader_", ".py"
COMPILED = ("__pycache__", ".pyc")


def digest(root: str) -> str:
    """sha256 over the names and contents of ``<root>/[_]modules|states|utils/upgrader_*``, packages included.

    ``root`` is a formulas folder (folders have a leading underscore) or a minion's extension module folder (they have none).
    Raises OSError when a file cannot be read.
    """
    return _digest({folder: {name: sha256(path) for name, path in _modules(root, folder)} for folder in FOLDERS})


def modules(root: str) -> typing.Dict[str, str]:
    """The files that ``digest`` is over: their names in a minion's folder of modules, and where they are."""
    return {"{}/{}".format(folder, name): path for folder in FOLDERS for name, path in _modules(root, folder)}


def digest_of(files: typing.Mapping[str, str]) -> str:
    """The digest of a formulas folder whose ``files`` have been hashed already."""
    return _digest(
        {
            folder: {
                name[len(folder) + 2 :]: own
                for name, own in files.items()
                if name.startswith("_{}/{}".format(folder, PREFIX)) and name.endswith(SOURCE)
            }
            for folder in FOLDERS
        }
    )


def files(root: str) -> typing.Dict[str, str]:
    """sha256 of every file of a formulas folder, by the name under which Salt serves it. Raises OSError as ``digest``."""
    return {name: sha256(path) for name, path in sorted(_below(root))}


def sha256(path: str) -> str:
    """Of one file's content, hexadecimal."""
    with open(path, "rb") as source:
        return hashlib.sha256(source.read()).hexdigest()


def differing(expected: typing.Mapping[str, str], served: typing.Mapping[str, str]) -> typing.List[str]:
    """One word for each expected file that is not served, or with other content. ``expected`` may hold shortened hashes."""
    return [
        "{} ({})".format(name, "differs" if name in served else "is not served")
        for name in sorted(expected)
        if not served.get(name, "").startswith(expected[name] or "-")
    ]


def _digest(hashes: typing.Mapping[str, typing.Mapping[str, str]]) -> str:
    """Over the hash of each source, by folder and name."""
    lines = (
        "{}/{} {}\n".format(folder, name, hashes[folder][name]) for folder in FOLDERS for name in sorted(hashes[folder])
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _modules(root: str, folder: str) -> typing.List[typing.Tuple[str, str]]:
    """Our own Python sources of one kind."""
    for candidate in (os.path.join(root, "_" + folder), os.path.join(root, folder)):
        if os.path.isdir(candidate):
            return sorted(
                (name, path) for name, path in _below(candidate) if name.startswith(PREFIX) and name.endswith(SOURCE)
            )
    return []


def _below(top: str) -> typing.Iterator[typing.Tuple[str, str]]:
    """Every file under ``top`` that was written by somebody: its name as Salt's file server spells it, and where it is."""
    for folder, inside, names in os.walk(top):
        inside[:] = [name for name in inside if name != COMPILED[0]]
        relative = "" if folder == top else os.path.relpath(folder, top).replace(os.sep, "/") + "/"
        for name in names:
            if not name.endswith(COMPILED[1]):
                yield relative + name, os.path.join(folder, name)
