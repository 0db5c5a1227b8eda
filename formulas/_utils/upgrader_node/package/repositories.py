"""Where a node's packages come from, kept by run before it is changed, and put back.

The archive is ``service.kept``'s, under ``package``; which of the files were not there then, it cannot say, so that is in a file
beside it.
"""

import os
import typing

from upgrader_node.host import files, records
from upgrader_node.host.findings import some
from upgrader_node.service import kept

PATHS = ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/apt/preferences", "/etc/apt/preferences.d")
NAME = "package"
Answer = typing.Dict[str, typing.Any]


def record(run: str, paths: typing.Sequence[str] = PATHS, root: str = kept.ROOT) -> Answer:
    """Keep the sources as they are, once in a run. Raises StepError when there are none at all."""
    held = kept.read(NAME, records.plain(str(run)), root)
    made = held is None
    if held is None:
        held = kept.keep(NAME, str(run), paths, root)
    words = "{} in {}".format("kept" if made else "kept before", held.archive)
    return {"comment": words, "changed": made, "archive": held.archive, "paths": sorted(held.paths)}


def recorded(run: str, root: str = kept.ROOT) -> bool:
    """Whether this run has kept them."""
    return kept.read(NAME, records.plain(str(run)), root) is not None


def put_back(run: str, paths: typing.Sequence[str] = PATHS, root: str = kept.ROOT) -> typing.List[str]:
    """The sources as they were; what was not there then is moved aside. The paths that changed. Raises StepError without a record."""
    held = kept.require(NAME, records.plain(str(run)), root)
    done = kept.put_back(held, str(run))
    for path in paths:
        if path not in held.paths and os.path.lexists(path):
            os.rename(path, files.free_name("{}.before-{}".format(path, run)))
            done.append(path)
    return done


def said(paths: typing.Sequence[str]) -> str:
    """In half a sentence."""
    return "sources put back: {}".format(some(list(paths))) if paths else "sources are as they were"
