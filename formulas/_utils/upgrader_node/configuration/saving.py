"""The configuration of nova and neutron kept by run, and put back: ``service.kept``'s archives, one for each service."""

import os
import tarfile
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import some
from upgrader_node.service import kept

PATHS = {"agents-nova": ("/etc/nova",), "agents-neutron": ("/etc/neutron",)}
"""Names of the archives; not those of a controller's services, which are kept under a run as well."""
Answer = typing.Dict[str, typing.Any]


def save(run: str, root: str = kept.ROOT, paths: typing.Mapping[str, typing.Sequence[str]] = PATHS) -> Answer:
    """Keep what this node has of them, once in a run. Raises StepError when it has nothing."""
    run, made = records.plain(str(run)), []
    present = {name: ones for name, ones in paths.items() if any(os.path.lexists(one) for one in ones)}
    if not present:
        what = "none of {} is on this node: there is no configuration to keep"
        raise StepError(what.format(", ".join(one for ones in paths.values() for one in ones)))
    for name, ones in present.items():
        if kept.read(name, run, root) is None:
            kept.keep(name, run, ones, root)
            made.append(name)
    archives = {name: kept.require(name, run, root).archive for name in present}
    words = "{}: {}".format("kept" if made else "kept before", some(sorted(archives.values())))
    return {"comment": words, "changed": bool(made), "archives": archives}


def restore(run: str, root: str = kept.ROOT, paths: typing.Iterable[str] = tuple(PATHS)) -> Answer:
    """Put back what this run kept; what is there now is moved aside. Nothing kept is nothing to do."""
    done = []  # type: typing.List[str]
    for name in paths:
        held = kept.read(name, records.plain(str(run)), root)
        done += kept.put_back(held, str(run)) if held else []
    words = "put back: {}".format(some(done)) if done else "configuration is as it was, or this run kept none"
    return {"comment": words, "changed": bool(done), "put_back": done}


def text_of(run: str, root: str = kept.ROOT) -> typing.Callable[[str], typing.Optional[str]]:
    """Gives the text of a file as this run kept it; None for one that was not there. Raises StepError when the run kept nothing."""
    run = records.plain(str(run))
    held = [one for one in (kept.read(name, run, root) for name in PATHS) if one is not None]
    if not held:
        raise StepError("run {} kept no configuration on this node: call 'upgrader_config.save' first".format(run))

    def text(path: str) -> typing.Optional[str]:
        for one in held:
            with tarfile.open(one.archive) as archive:
                names = archive.getnames()
                if path.lstrip("/") in names:
                    member = archive.extractfile(path.lstrip("/"))
                    return member.read().decode("utf-8") if member else None
        return None

    return text
