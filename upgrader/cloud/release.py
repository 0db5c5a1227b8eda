"""The release path on this side: the same files that minions get, read from the formulas. Another hop is another file."""

from __future__ import annotations

from pathlib import Path

import yaml
from upgrader_node.host import quick_yaml
from upgrader_node.release import path, reading
from upgrader_node.release.path import ReleasePath

from upgrader.content import FORMULAS
from upgrader.errors import Refused

RELEASES = FORMULAS / "upgrader" / "releases"


def sources(folder: Path = RELEASES) -> frozenset[str]:
    """The releases at which a known path begins."""
    return frozenset(one.stem.partition("-")[0] for one in folder.glob("*.yaml"))


def known(source: str, target: str, folder: Path = RELEASES) -> bool:
    """Whether a file describes this jump."""
    return _file(source, target, folder) in folder.glob("*.yaml")


def unknown(source: str, target: str, folder: Path = RELEASES) -> str:
    """The sentence about a jump that no file describes."""
    names = ", ".join(one.stem.replace("-", " to ", 1) for one in sorted(folder.glob("*.yaml"))) or "none"
    return (
        f"pillar key upgrader:release asks for {source} to {target}, and no such release path is known; known: {names}"
    )


def _file(source: str, target: str, folder: Path) -> Path:
    return folder / f"{path.name(source, target)}.yaml"


def release_path(source: str, target: str, folder: Path = RELEASES) -> ReleasePath:
    """The path from ``source`` to ``target``; refuses a jump that nobody described, and a file that describes none."""
    if not known(source, target, folder):
        raise Refused(unknown(source, target, folder))
    file = _file(source, target, folder)
    try:
        return reading.read(quick_yaml.load(yaml, file.read_text()), str(file))
    except yaml.YAMLError as error:
        raise Refused(f"release path {file} is no YAML: {' '.join(str(error).split())}") from error
    except reading.NotAPath as error:
        raise Refused(str(error)) from error
