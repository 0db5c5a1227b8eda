"""The files a build is given besides its recipe: sources, keys, pip.conf, CA bundle. They live in memory while it runs
and none of them is part of the layer or of its key."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upgrader.lab.image.apt_sources import AptSource, Mirror, choose_mirror, inherited_settings, read_sources
from upgrader.lab.image.pip_settings import PipSettings, read_settings

INSIDE = "/run/lab-build"
PROXY = re.compile(r'^Acquire::(?P<scheme>https?)::Proxy "(?P<url>[^"]*)";', re.IGNORECASE)


@dataclass(frozen=True)
class BuildSettings:
    """How this machine reaches packages."""

    mirror: Mirror
    pip: PipSettings
    apt_lines: tuple[str, ...] = ()
    netrc: tuple[Path, ...] = ()

    @property
    def directories(self) -> tuple[str, ...]:
        """Directories of this machine that a build has to see."""
        return self.pip.directories

    @property
    def proxies(self) -> tuple[str, ...]:
        """What apt goes through instead of reaching the mirror itself."""
        found = [match["url"] for line in self.apt_lines if (match := PROXY.match(line))]
        return tuple(url for url in found if url and url != "DIRECT")

    def write(self, folder: Path) -> None:
        """Lays the files out in a folder that only root can read."""
        keys = {entry.signed_by: f"key-{number}" for number, entry in enumerate(self.mirror.sources) if entry.signed_by}
        keys = {path: name + Path(path).suffix for path, name in keys.items() if Path(path).is_file()}
        for path, name in keys.items():
            (folder / name).write_bytes(Path(path).read_bytes())
        sources = folder / "sources.d"
        sources.mkdir()
        for number, entry in enumerate(self.mirror.sources):
            _write(sources / f"{number}.sources", entry.stanza(_inside(keys, entry)))
        older = self.mirror.older("bullseye")
        _write(folder / "bullseye.sources", older.stanza(_inside(keys, older)))
        _write(folder / "preferences", "Package: *\nPin: release n=bullseye\nPin-Priority: 100\n")
        cert = self._certificates(folder)
        _write(folder / "apt.conf", self._apt_conf(cert, self._netrc(folder)))
        _write(folder / "pip.conf", self.pip.config(cert, f"{INSIDE}/wheels"))
        _write(folder / "wgetrc", self._wgetrc())
        _write(folder / "settings.sh", self._shell_settings(keys))
        resolv = Path("/etc/resolv.conf")
        _write(folder / "resolv.conf", resolv.read_text(encoding="utf-8") if resolv.is_file() else "")

    def _certificates(self, folder: Path) -> str:
        if self.pip.ca_bundle is None:
            return ""
        (folder / "ca.pem").write_bytes(self.pip.ca_bundle.read_bytes())
        return f"{INSIDE}/ca.pem"

    def _netrc(self, folder: Path) -> str:
        if not self.netrc:
            return ""
        _write(folder / "auth.conf", "\n".join(path.read_text(encoding="utf-8") for path in self.netrc))
        return f"{INSIDE}/auth.conf"

    def _apt_conf(self, cert: str, netrc: str) -> str:
        lines = [
            *self.apt_lines,
            'APT::Install-Recommends "false";',
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
            'Dpkg::Use-Pty "false";',
            'Dir::Etc::SourceList "/dev/null";',
            f'Dir::Etc::SourceParts "{INSIDE}/sources.d";',
            f'Dir::Etc::Preferences "{INSIDE}/preferences";',
            f'Dir::State::Lists "{INSIDE}/lists";',
            f'Dir::Cache::Archives "{INSIDE}/debs";',
            f'Dir::Cache::pkgcache "{INSIDE}/pkgcache.bin";',
            f'Dir::Cache::srcpkgcache "{INSIDE}/srcpkgcache.bin";',
        ]
        if cert:
            lines.append(f'Acquire::https::CaInfo "{cert}";')
        if netrc:
            lines.append(f'Dir::Etc::netrc "{netrc}";')
        return "\n".join(lines) + "\n"

    def _wgetrc(self) -> str:
        """apt's proxies for debootstrap's wget; empty when there are none. A file, for a proxy's URL may hold a password."""
        found = {match["scheme"].lower(): match["url"] for line in self.apt_lines if (match := PROXY.match(line))}
        return "".join(f"{scheme}_proxy = {url}\n" for scheme, url in found.items() if url and url != "DIRECT")

    def _shell_settings(self, keys: Mapping[str, str]) -> str:
        main = self.mirror.main
        return (
            f"mirror={shlex.quote(main.uri)}\nkeyring={shlex.quote(keys.get(main.signed_by, ''))}\n"
            f"trusted={'yes' if main.trusted else 'no'}\n"
        )


def _inside(keys: Mapping[str, str], entry: AptSource) -> str:
    return f"{INSIDE}/{keys[entry.signed_by]}" if entry.signed_by in keys else ""


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def read_build_settings(mirror: str = "", environ: Mapping[str, str] = os.environ) -> BuildSettings:
    """This machine's own settings; `mirror` overrides the Debian archive."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    lines = inherited_settings(dump)
    for scheme in ("http", "https"):
        proxy = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme}_proxy".upper())
        if proxy and not any(line.lower().startswith(f"acquire::{scheme}::proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    netrc = [Path("/etc/apt/auth.conf"), *sorted(Path("/etc/apt/auth.conf.d").glob("*.conf"))]
    chosen = choose_mirror(read_sources(), mirror)
    return BuildSettings(chosen, read_settings(environ), tuple(lines), tuple(path for path in netrc if path.is_file()))
