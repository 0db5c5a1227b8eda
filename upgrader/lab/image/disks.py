"""Disks as single files, made of the merged tree of layers: of new machines' base image, kept beside the layers, and of machines."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import LabError
from upgrader.lab.image.layers import ImageCache
from upgrader.lab.image.recipe import SCRIPTS, Layer

# Room that a machine has before anybody grows its disk.
FREE_MEGABYTES = 300
CHUNK = 1 << 20
Fill = Callable[[Path], None]
"""Writes the files that stand over the layers into an empty folder."""


@dataclass(frozen=True)
class BaseImage:
    """What new machines are made of: a file, and the sha256 of its content."""

    path: Path
    sha256: str


def make_disk(image: Path, lower: str, free: int = FREE_MEGABYTES) -> None:
    """The tree of the lower directories, top first, as one file system: whole under its name or not there."""
    image.parent.mkdir(parents=True, exist_ok=True)
    fresh = image.with_name(image.name + ".new")
    command = [
        *("unshare", "--mount", "--propagation", "private", "/bin/sh", str(SCRIPTS / "disk.sh")),
        *(str(fresh), lower, str(free)),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fresh.unlink(missing_ok=True)
        raise LabError(
            f"The disk {image} could not be made (exit code {done.returncode}): {done.stderr.strip()[-500:]}"
        )
    fresh.replace(image)


class BaseImages:
    """Base images in the cache, under names that say of which layers and files they were made."""

    def __init__(self, cache: ImageCache) -> None:
        self.cache = cache
        self.folder = cache.folder / "disks"

    def path(self, chain: Sequence[Layer], files: Mapping[str, object]) -> Path:
        made_of = [[layer.key for layer in chain], sorted((name, repr(file)) for name, file in files.items())]
        made_of.append([(SCRIPTS / "disk.sh").read_text(encoding="utf-8")])
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
        return self.folder / f"{chain[-1].recipe.name}-{key}.img"

    def held(self, path: Path) -> BaseImage | None:
        said = path.with_suffix(".sha256")
        return BaseImage(path, said.read_text(encoding="ascii").strip()) if path.is_file() and said.is_file() else None

    def provide(self, path: Path, chain: Sequence[Layer], fill: Fill) -> BaseImage:
        """The image; made when it is not there, by one command at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self.held(path) or self._make(path, chain, fill)

    def _make(self, path: Path, chain: Sequence[Layer], fill: Fill) -> BaseImage:
        top = Path(tempfile.mkdtemp(prefix="top-", dir=self.folder))
        try:
            top.chmod(0o755)
            fill(top)
            make_disk(path, f"{top}:{self.cache.lower_directories(chain)}")
        finally:
            shutil.rmtree(top)
        # It stands without its hash until this is written, and counts as not there.
        path.with_suffix(".sha256").write_text(_sha256(path) + "\n", encoding="ascii")
        os.sync()
        return BaseImage(path, path.with_suffix(".sha256").read_text(encoding="ascii").strip())

    def prune(self, keep: Sequence[Path]) -> list[str]:
        """Removes every image but those; the caller has made sure that no lab has one."""
        wanted = {path.stem for path in keep} | {"lock"}
        gone = [path for path in sorted(self.folder.glob("*")) if path.stem not in wanted]
        for path in gone:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [path.name for path in gone]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()
