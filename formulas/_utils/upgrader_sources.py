"""One hash over the sources of the tool's Salt modules, taken the same way from a checkout and from a minion's cache.

Stale extension modules on a node are the commonest silent failure of a Salt-driven tool: the new state calls the old
module and nobody sees it. So the first thing a run does is to compare this hash on every node with the command's own.
"""

import hashlib
import os
import typing

FOLDERS = ("modules", "states", "utils")
PREFIX = "upgrader_"


def digest(root: str) -> str:
    """sha256 over the names and contents of ``<root>/[_]modules|states|utils/upgrader_*.py``.

    ``root`` is a formulas folder (folders have a leading underscore) or a minion's extension module folder (they have none).
    Raises OSError when a file cannot be read.
    """
    whole = hashlib.sha256()
    for folder in FOLDERS:
        for name, path in _files(root, folder):
            with open(path, "rb") as source:
                content = hashlib.sha256(source.read()).hexdigest()
            whole.update("{}/{} {}\n".format(folder, name, content).encode())
    return whole.hexdigest()


def _files(root: str, folder: str) -> typing.List[typing.Tuple[str, str]]:
    for candidate in (os.path.join(root, "_" + folder), os.path.join(root, folder)):
        if os.path.isdir(candidate):
            names = sorted(n for n in os.listdir(candidate) if n.startswith(PREFIX) and n.endswith(".py"))
            return [(name, os.path.join(candidate, name)) for name in names]
    return []
