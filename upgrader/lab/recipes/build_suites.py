"""Builds a repository with a suite for each release:  build_suites.py SUITES.json FOLDER

SUITES.json maps a suite to its packages, as `build_packages.py` takes them. A suite that is there is made anew, others stay, so that
packages can be added to a running lab.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path

from build_packages import build  # type: ignore[import-not-found]

INDEX = "main/binary-amd64/Packages"


def main(listed: Path, folder: Path) -> None:
    pool = folder / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    for suite, packages in json.loads(listed.read_text(encoding="utf-8")).items():
        entries = [build(package, pool).replace("Filename: ./", "Filename: pool/") for package in packages]
        describe(folder / "dists" / suite, suite, "\n".join(entries).encode())


def describe(place: Path, suite: str, index: bytes) -> None:
    """The suite's index, and the file that says what it hashes to, without which apt does not take it."""
    held = {INDEX: index, f"{INDEX}.gz": gzip.compress(index, mtime=0)}
    for name, content in held.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    sums = "".join(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n" for name, content in held.items())
    head = f"Origin: lab\nLabel: lab\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n"
    (place / "Release").write_text(f"{head}Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{sums}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
