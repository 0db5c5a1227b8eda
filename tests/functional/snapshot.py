"""What a service's configuration and keys are on disk, told without any code of the formulas."""

from __future__ import annotations

from pathlib import Path

EXTRA = {
    "memcached": ["/etc/memcached.conf"],
    "keystone": ["/var/lib/keystone", "/etc/apache2/sites-available"],
    "nova": ["/etc/apache2/sites-available"],
}


def snapshot(service: str) -> dict[str, tuple[str, int, int, int, bytes]]:
    """Kind, time of change, mode, owner and content of everything below a service's places; units too."""
    found: dict[str, tuple[str, int, int, int, bytes]] = {}
    places = [Path(f"/etc/{service}"), *map(Path, EXTRA.get(service, ()))]
    places += sorted(Path("/etc/systemd/system").glob("*.service"))
    for place in places:
        for path in [place, *(sorted(place.rglob("*")) if place.is_dir() else [])]:
            if path.is_symlink() or not path.exists():
                continue
            status = path.stat()
            content = path.read_bytes() if path.is_file() else b""
            written = status.st_mtime_ns if path.is_file() else 0
            found[str(path)] = ("file" if path.is_file() else "folder", written, status.st_mode, status.st_uid, content)
    return found
