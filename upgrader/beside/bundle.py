"""The archive of a self-contained Salt (its onedir form) that every node gets, and the door through which they fetch it.

Salt's onedir asks of a system a glibc of 2.17 or newer and no Python: the form for Ubuntu 14.04 and 16.04.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from upgrader.errors import UsageError

OLDEST = 3006
CHUNK = 1 << 20
_RELEASE = re.compile(r"/salt-(\d+)(?:\.\d+)*[^/]*\.(?:dist|egg)-info(?:/|$)")


@dataclass(frozen=True)
class Bundle:
    """An archive that holds what our nodes need. ``programs`` is where its salt-minion lies below its one folder: "" or "bin/"."""

    path: Path
    sha256: str
    bytes: int
    unpacked: int
    programs: str

    @property
    def name(self) -> str:
        """What its folder on a node is called; another archive has another name."""
        return f"salt-{self.sha256[:12]}"


def read_bundle(path: Path) -> Bundle:
    """Look through the archive. Raises UsageError that says what it lacks and how it is made."""
    try:
        with tarfile.open(path) as archive:
            members = [(member.name.removeprefix("./"), member.size) for member in archive]
    except (OSError, tarfile.TarError) as error:
        raise UsageError(
            f"--archive {path} cannot be read as a tar archive ({error}); docs/site.md says how it is made"
        ) from None
    names = {name for name, _ in members if name}
    tops = {name.split("/", 1)[0] for name in names}
    if len(tops) != 1:
        raise UsageError(f"--archive {path} must hold one folder, salt/, and holds {len(tops)} names at its top")
    [top] = tops
    programs = next((below for below in ("", "bin/") if f"{top}/{below}salt-minion" in names), None)
    lacking = [what for what, there in _wanted(top, names, programs) if not there]
    if lacking:
        raise UsageError(f"--archive {path} has no {', no '.join(lacking)}; docs/site.md says how it is made")
    return Bundle(path, _sha256(path), path.stat().st_size, sum(size for _, size in members), programs or "")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _wanted(top: str, names: set[str], programs: str | None) -> Iterator[tuple[str, bool]]:
    releases = [int(found.group(1)) for found in map(_RELEASE.search, names) if found]
    yield f"{top}/bin/python3", f"{top}/bin/python3" in names
    yield "salt-minion", programs is not None
    yield f"Salt of {OLDEST} or newer", bool(releases) and min(releases) >= OLDEST
    yield "PyMySQL (salt-pip install PyMySQL)", any(name.endswith("/pymysql/__init__.py") for name in names)


@contextmanager
def served(bundle: Bundle, port: int) -> Iterator[str]:
    """Serve this one file by http as long as the block lasts; gives its path behind ``http://MASTER:PORT``.

    The path cannot be guessed, and what a node took is compared with the digest that it was told through the site's Salt.
    """
    path = f"/{secrets.token_hex(16)}/{bundle.name}.tar"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != path:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(bundle.bytes))
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            with bundle.path.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    self.wfile.write(chunk)

        def log_message(self, format: str, *args: object) -> None:
            """Said by the node that takes it."""

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as error:
        raise UsageError(
            f"port {port} of this machine cannot be taken ({error.strerror}); name another with --port"
        ) from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
