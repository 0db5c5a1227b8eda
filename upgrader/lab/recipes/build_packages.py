"""Builds the site's packages and a flat repository of them:  build_packages.py PACKAGES.json FOLDER"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

Package = dict[str, Any]


def lay_out(package: Package, root: Path) -> None:
    for name, text in package["files"].items():
        put(root, name, text)
    for name, text in package["scripts"].items():
        put(root, name, text, 0o755)
    for name, target in package["links"].items():
        (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / name.lstrip("/")).symlink_to(target)
    for name, source in package["copies"].items():
        (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name.lstrip("/"))


def put(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def describe(package: Package, root: Path) -> None:
    put(root, "DEBIAN/control", "".join(f"{name}: {value}\n" for name, value in package["control"].items()))
    if package["conffiles"]:
        put(root, "DEBIAN/conffiles", "".join(f"{path}\n" for path in package["conffiles"]))
    if package["postinst"]:
        lines = ["#!/bin/sh", "set -e", '[ "$1" = configure ] || exit 0', *package["postinst"], "exit 0"]
        put(root, "DEBIAN/postinst", "\n".join(lines) + "\n", 0o755)
    if package["prerm"]:
        put(root, "DEBIAN/prerm", "\n".join(["#!/bin/sh", *package["prerm"], "exit 0"]) + "\n", 0o755)


def build(package: Package, folder: Path) -> str:
    """One package; returns its entry in the repository's index."""
    control = package["control"]
    archive = folder / f"{package['name']}_{control['Version'].split(':')[-1]}_{control['Architecture']}.deb"
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        lay_out(package, Path(root))
        describe(package, Path(root))
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, str(archive)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    held = archive.read_bytes()
    entry = [f"{name}: {value}" for name, value in control.items()]
    entry += [f"Filename: ./{archive.name}", f"Size: {len(held)}", f"SHA256: {hashlib.sha256(held).hexdigest()}"]
    return "\n".join(entry) + "\n"


def main(listed: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index = "\n".join(build(package, folder) for package in json.loads(listed.read_text(encoding="utf-8")))
    (folder / "Packages").write_text(index, encoding="utf-8")
    (folder / "Packages.gz").write_bytes(gzip.compress(index.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
