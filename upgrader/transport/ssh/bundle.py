"""The formulas of this version as one archive, for machines that no master serves."""

from __future__ import annotations

import gzip
import io
import tarfile
from functools import cache

from upgrader_node.host import sources

from upgrader.content import FORMULAS


@cache
def version() -> str:
    """The beginning of a hash over every file of the formulas."""
    import hashlib

    files = sources.files(str(FORMULAS))
    return hashlib.sha256("".join(f"{name} {own}\n" for name, own in sorted(files.items())).encode()).hexdigest()[:16]


@cache
def archive() -> bytes:
    """Every file, in a gzipped tar: names below the formulas' folder, nobody's owner, readable."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name in sorted(sources.files(str(FORMULAS))):
            body = (FORMULAS / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(body), 0o644
            tar.addfile(entry, io.BytesIO(body))
    return out.getvalue()
