"""Where a node's packages come from, kept by run before it is changed, and put back.

The archive is ``service.kept``'s, under ``package``; which of the files were not there then, it cannot say, so that is in a file
beside it.
"""

import os
import typing

from upgrader_node.host import records
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


def note(run: str, paths: typing.Sequence[str] = PATHS, root: str = kept.ROOT) -> None:
    """What the sources are once they were changed for this run, once in a run: what differs later is somebody else's work."""
    if recorded(run, root) and not os.path.exists(_changed(run, root)):
        records.write(_changed(run, root), {path: kept.listing(path) for path in paths})


def _changed(run: str, root: str) -> str:
    return os.path.join(root, NAME, records.plain(str(run)) + ".changed.json")


def of_others(run: str, root: str = kept.ROOT) -> typing.Set[str]:
    """The files that this run left alone and that are not as it found them: an operator has mended a source meanwhile."""
    held = kept.require(NAME, records.plain(str(run)), root)
    after = records.read(_changed(run, root), "remove it: the sources then go back as a whole") or {}
    theirs = set()  # type: typing.Set[str]
    for path, listed in after.items():
        before = held.paths.get(path, {})
        theirs |= kept.unlike(path, listed, kept.listing(path)) - kept.unlike(path, before, listed)
    return theirs


def recorded(run: str, root: str = kept.ROOT) -> bool:
    """Whether this run has kept them."""
    return kept.read(NAME, records.plain(str(run)), root) is not None


def put_back(run: str, paths: typing.Sequence[str] = PATHS, root: str = kept.ROOT) -> typing.List[str]:
    """The sources as they were; what was not there then is moved aside. The paths that changed. Raises StepError without a record.

    Files that somebody else changed since (``of_others``) stay: a source that was taken away because it is broken would stop
    the way back.
    """
    held = kept.require(NAME, records.plain(str(run)), root)
    absent = {path: {} for path in paths}  # type: typing.Dict[str, typing.Dict[str, str]]
    return kept.put_back(held._replace(paths=dict(absent, **held.paths)), str(run), of_others(run, root))


def said(paths: typing.Sequence[str]) -> str:
    """In half a sentence."""
    return "sources put back: {}".format(some(list(paths))) if paths else "sources are as they were"
