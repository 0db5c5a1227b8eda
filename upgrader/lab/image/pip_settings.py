"""How this machine's pip reaches its packages: the lab's images are built through the same index, proxy and CA bundle."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

# pip's own option names; anything else (targets, prefixes, user installs) would change what is built.
PLACES = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "prefer-binary")
REACH = ("proxy", "timeout", "default-timeout", "retries", "client-cert")
CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
DEBIAN_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LINE = re.compile(r"^(?P<section>[^.]+)\.(?P<name>[a-z-]+)=(?P<value>.+)$")


@dataclass(frozen=True)
class PipSettings:
    """Options for a pip.conf, the local directories they name, and the host's CA bundle if there is one."""

    options: Mapping[str, str]
    directories: tuple[str, ...] = ()
    ca_bundle: Path | None = None

    def config(self, cert: str = "", cache: str = "") -> str:
        """A pip.conf. It may hold an index password: its file is for root alone and lives in memory."""
        lines = ["[global]", "disable-pip-version-check = true", "no-input = true", "root-user-action = ignore"]
        lines += [f"{name} = {value}" for name, value in sorted(self.options.items())]
        if cert:
            lines.append(f"cert = {cert}")
        if cache:
            lines.append(f"cache-dir = {cache}")
        return "\n".join(lines) + "\n"


def parse_config_list(text: str) -> dict[str, str]:
    """Options out of `pip config list`; the environment wins over [install], which wins over [global], as in pip."""
    rank = {"global": 0, "download": 1, "install": 2, ":env:": 3}
    best: dict[str, tuple[int, str]] = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if not match or match["section"] not in rank or match["name"] not in (*PLACES, *REACH, "cert"):
            continue
        value = " ".join(str(ast.literal_eval(match["value"])).split())
        if match["name"] not in best or best[match["name"]][0] <= rank[match["section"]]:
            best[match["name"]] = (rank[match["section"]], value)
    return {name: value for name, (_, value) in best.items()}


def local_directories(options: Mapping[str, str]) -> tuple[str, ...]:
    """Directories of this machine that the options name. The pages of an index point to files beside it, so for an
    index the directory that holds it is meant."""
    found = []
    for name in ("index-url", "extra-index-url", "find-links"):
        for place in options.get(name, "").split():
            parts = urlsplit(place)
            if parts.scheme not in ("", "file"):
                continue
            path = Path(unquote(parts.path))
            if name != "find-links" and len(path.parts) > 3:
                path = path.parent
            if path.is_dir():
                found.append(str(path))
    return tuple(sorted(set(found)))


def ca_bundle(environ: Mapping[str, str], options: Mapping[str, str], default: Path = DEBIAN_CA_BUNDLE) -> Path | None:
    """The file with the authorities that this machine trusts, if it has one."""
    named = [environ[name] for name in CA_VARIABLES if environ.get(name)]
    for candidate in [options.get("cert", ""), *named, str(default)]:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def read_settings(environ: Mapping[str, str] = os.environ) -> PipSettings:
    """This machine's settings, from the pip beside this interpreter or the first on the path, and the proxy variables."""
    options = parse_config_list(_config_list())
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        if environ.get(name):
            options.setdefault("proxy", environ[name])
    bundle = ca_bundle(environ, options)
    places = {name: value for name, value in options.items() if name != "cert"}
    return PipSettings(places, local_directories(places), bundle)


def _config_list() -> str:
    for command in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"]):
        try:
            done = subprocess.run([*command, "config", "list"], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return done.stdout
    return ""
