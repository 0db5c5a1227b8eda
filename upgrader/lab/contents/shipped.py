"""Copies of what is under test, put into the node that runs the tool: package, formulas, model. Taken anew by every
`lab up`, so a change in the checkout reaches a running lab without a new disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from upgrader import content
from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.node_files import FORMULAS, FORMULAS_OF_THE_SITE, RECLASS
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.home.model import Laid

LayOver = Callable[[Path, Path], Laid]
"""From the lab's own inventory to a folder for the operator's, with the lab's laid over it."""

MODEL = Path(__file__).resolve().parents[1] / "model"
SITE = MODEL.parent / "site"
PACKAGE = "usr/local/lib/upgrader"
COMMAND = """#!/bin/sh
# The tool as it was copied into the lab; `upgrader lab up` on the host copies it again.
PYTHONPATH=/usr/local/lib/upgrader PYTHONDONTWRITEBYTECODE=1 exec /opt/salt/bin/python -m upgrader "$@"
"""
UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc", ".mypy_cache", ".ruff_cache")


def write_files(root: Path, files: Mapping[str, NodeFile]) -> None:
    """Writes files below a root directory, replacing what is there; private ones are never readable for a moment."""
    for name, file in files.items():
        path = root / name
        _make_folders(root, Path(name).parent)
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        if file.link:
            fresh.symlink_to(file.link)
        else:
            with os.fdopen(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode), "w", encoding="utf-8"
            ) as out:
                out.write(file.text)
            fresh.chmod(file.mode)
        fresh.replace(path)


def _make_folders(root: Path, folder: Path) -> None:
    """As mkdir -p, but what is private on a Debian stays private: these folders shadow the image's."""
    path = root
    for part in folder.parts:
        path = path / part
        if not path.is_dir():
            path.mkdir()
            path.chmod(0o700 if part in ("root", "pki") else 0o755)


@dataclass(frozen=True)
class Model:
    """Of what the lab's model is made: folders, of which the last one's file is taken, and files that follow from the lab."""

    folders: tuple[Path, ...] = (MODEL,)
    files: Mapping[str, NodeFile] = field(default_factory=dict)


def ship(
    root: Path,
    passwords: Passwords,
    of_a_site: bool = False,
    lay: LayOver | None = None,
    made: Model = Model(),
) -> Laid | None:
    """Puts the tool, its formulas and the lab's model into a node whose root directory is given, and the formulas and the
    model of a site where one deploys. ``lay`` makes of the lab's model an operator's with the lab's laid over it."""
    package = _fresh(root / PACKAGE)
    shutil.copytree(content.PACKAGE, package / "upgrader", ignore=UNWANTED, dirs_exist_ok=True)
    for source, inside in ((content.FORMULAS, "_formulas"), (content.RECLASS_CLASSES, "_reclass_classes")):
        _copy([source], package / "upgrader" / inside)
    _copy([content.FORMULAS / "_utils"], package)
    _swap(package)
    formulas = _fresh(root / FORMULAS.lstrip("/"))
    _copy([content.FORMULAS], formulas)
    _swap(formulas)
    if of_a_site:
        formulas = _fresh(root / FORMULAS_OF_THE_SITE.lstrip("/"))
        _copy([SITE / "formulas"], formulas)
        _swap(formulas)
    made = replace(made, folders=(*made.folders, SITE / "model")) if of_a_site else made
    laid = _ship_model(root, passwords, made, lay)
    write_files(root, {"usr/local/bin/upgrader": NodeFile(COMMAND, 0o755)})
    return laid


def _ship_model(root: Path, passwords: Passwords, made: Model, lay: LayOver | None) -> Laid | None:
    model, laid = _fresh(root / RECLASS.lstrip("/")), None
    model.chmod(0o700)
    if lay is None:
        _fill_model(model, passwords, made)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _fill_model(Path(folder), passwords, made)
            laid = lay(Path(folder), model)
    _swap(model)
    return laid


def _fill_model(model: Path, passwords: Passwords, made: Model) -> None:
    """Of a file that several models hold, the last one's is taken."""
    _copy([content.RECLASS_CLASSES, *(one / "classes" for one in made.folders)], model / "classes")
    _copy([one / "nodes" for one in made.folders], model / "nodes")
    write_files(model, made.files)
    write_files(model, {"classes/cluster/lab/secrets.yml": NodeFile(passwords.parameters(), 0o600)})


def _copy(sources: Iterable[Path], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, target, ignore=UNWANTED, dirs_exist_ok=True)


def _fresh(target: Path) -> Path:
    """An empty folder beside the target, to be filled and then swapped in."""
    fresh = target.with_name(f".{target.name}.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(parents=True)
    return fresh


def _swap(fresh: Path) -> None:
    """Puts a filled folder in its place; readers see the old or the new one, for a blink none."""
    target = fresh.with_name(fresh.name.removeprefix(".").removesuffix(".new"))
    old = fresh.with_name(f".{target.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    if old.exists():
        shutil.rmtree(old)
