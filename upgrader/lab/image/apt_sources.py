"""Where this machine gets its Debian packages from: the lab takes the same mirror, so no mirror is named in the project."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from upgrader.errors import LabRefused

RELEASE = "bookworm"

# What of the host's apt settings a build inherits: how to reach a mirror, never what to install.
INHERITED = re.compile(
    r"^Acquire::(?:.*::Proxy|.*::Proxy-Auto-Detect|.*::CaInfo|.*::Verify-(?:Peer|Host)|Check-Valid-Until|Check-Date|Retries|"
    r"https?::Timeout|ForceIPv[46])(?:::\S+)?\s",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AptSource:
    """One `deb` entry of /etc/apt, whichever of apt's two formats it was written in."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False

    def stanza(self, signed_by: str = "") -> str:
        """The entry in deb822 form; the key's path may differ inside a chroot."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {self.suite}", f"Components: {' '.join(self.components)}"]
        if signed_by:
            lines.append(f"Signed-By: {signed_by}")
        if self.trusted:
            lines.append("Trusted: yes")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Mirror:
    """The Debian archive a build uses: its main entry, and the others of the same release that the host has."""

    main: AptSource
    others: tuple[AptSource, ...] = ()

    @property
    def sources(self) -> tuple[AptSource, ...]:
        return (self.main, *self.others)

    def older(self, suite: str) -> AptSource:
        """The same archive at another release: the lab's Python 2.7 is bullseye's."""
        return replace(self.main, suite=suite, components=("main",))


def parse_one_line(text: str) -> list[AptSource]:
    """Entries of a `sources.list`: `deb [option=value ...] URI suite component...`, comments and deb-src left out."""
    found = []
    for line in text.splitlines():
        match = re.match(r"^\s*deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<rest>[^#]+)", line)
        if not match:
            continue
        options = dict(part.split("=", 1) for part in shlex.split(match["options"] or "") if "=" in part)
        words = match["rest"].split()
        if len(words) >= 2:
            trusted = options.get("trusted", "") == "yes"
            found.append(AptSource(words[0], words[1], tuple(words[2:]), options.get("signed-by", ""), trusted))
    return found


def parse_deb822(text: str) -> list[AptSource]:
    """Entries of a `*.sources` file, one for each pair of URI and suite; disabled stanzas left out."""
    found = []
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        signed_by = fields.get("signed-by", "")
        key = signed_by if signed_by.startswith("/") else ""
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                trusted = fields.get("trusted", "") == "yes"
                found.append(AptSource(uri, suite, tuple(fields.get("components", "").split()), key, trusted))
    return found


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def read_sources(apt: Path = Path("/etc/apt")) -> list[AptSource]:
    """Every entry of this machine, in apt's own order of files."""
    found = parse_one_line(_text(apt / "sources.list"))
    parts = apt / "sources.list.d"
    for path in sorted(parts.iterdir()) if parts.is_dir() else []:
        if path.suffix == ".list":
            found += parse_one_line(_text(path))
        elif path.suffix == ".sources":
            found += parse_deb822(_text(path))
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def choose_mirror(sources: Iterable[AptSource], override: str = "") -> Mirror:
    """The mirror to build from: the host's own, or the one the operator names (then with the host's keys)."""
    entries = [entry for entry in sources if "main" in entry.components]
    of_release = [entry for entry in entries if entry.suite.split("-")[0] == RELEASE]
    plain = [entry for entry in of_release if entry.suite == RELEASE]
    # Another Debian release on the host still names a Debian archive that holds bookworm.
    archives = [entry for entry in entries if urlsplit(entry.uri).path.rstrip("/").endswith("/debian")]
    base = next(iter(plain or archives), None)
    if override:
        known = next((entry for entry in entries if entry.uri.rstrip("/") == override.rstrip("/")), base)
        signed_by, trusted = (known.signed_by, known.trusted) if known else ("", False)
        return Mirror(AptSource(override, RELEASE, ("main",), signed_by, trusted))
    if base is None:
        raise LabRefused("No Debian archive is configured in /etc/apt; name one with `upgrader lab up --mirror URL`.")
    main = replace(base, suite=RELEASE, components=("main",))
    others = tuple(replace(entry, components=("main",)) for entry in of_release if entry.suite != RELEASE)
    return Mirror(main, others)


def inherited_settings(apt_config_dump: str) -> list[str]:
    """The lines of `apt-config dump` that say how to reach a mirror."""
    return [line for line in apt_config_dump.splitlines() if INHERITED.match(line)]
