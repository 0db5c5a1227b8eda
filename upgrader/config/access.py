"""How the transports other than the master's reach Salt: keys ``salt_api`` and ``salt_ssh`` of a configuration file, judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class SaltApi:
    """Where salt-api listens and who asks. One of ``password_file`` and ``token_file``; secrets stay in their files.

    ``ca_file`` vouches for the server's certificate; without it the system's own authorities do. ``master`` is the minion id
    of the Salt master's machine, whose pillar describes the cloud; without it the master is asked.
    """

    url: str
    user: str = ""
    eauth: str = "pam"
    password_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    master: str = ""


def salt_api(value: Any) -> SaltApi:
    """The mapping ``salt_api``. Raises ValueError with what was expected."""
    said = _texts("salt_api", value, ("url", "user", "eauth", "password_file", "token_file", "ca_file", "master"))
    _https(said.get("url", ""))
    if ("password_file" in said) == ("token_file" in said):
        raise ValueError("salt_api to have one of password_file (with user) and token_file")
    if ("user" in said) != ("password_file" in said) or ("eauth" in said and "user" not in said):
        raise ValueError("user, eauth and password_file of salt_api to go together")
    files = {name: Path(text).expanduser() for name, text in said.items() if name.endswith("_file")}
    if not all(path.is_absolute() for path in files.values()):
        raise ValueError(f"{', '.join(files)} of salt_api to be absolute paths")
    return SaltApi(**{**said, **files, "url": said["url"].rstrip("/")})  # type: ignore[arg-type]


@dataclass(frozen=True)
class SaltSsh:
    """Machines without a master. ``roster`` is salt-ssh's, ``known_hosts`` holds the host keys that are taken, ``master`` is the id of
    the machine whose pillar describes the cloud, ``spool`` the folder on each machine where jobs and formulas lie.
    """

    roster: Path
    known_hosts: Path
    master: str
    spool: str = "/var/lib/upgrader-ssh"


def salt_ssh(value: Any) -> SaltSsh:
    """The mapping ``salt_ssh``. Raises ValueError with what was expected."""
    said = _texts("salt_ssh", value, ("roster", "known_hosts", "master", "spool"))
    if not {"roster", "known_hosts", "master"} <= set(said):
        raise ValueError("salt_ssh to have roster, known_hosts and master")
    paths = {name: Path(said[name]).expanduser() for name in ("roster", "known_hosts")}
    if not all(path.is_absolute() for path in paths.values()) or not said.get("spool", "/").startswith("/"):
        raise ValueError("roster, known_hosts and spool of salt_ssh to be absolute paths")
    return SaltSsh(**{**said, **paths})  # type: ignore[arg-type]


def _https(url: str) -> None:
    try:
        parts = urlsplit(url)
        well = parts.scheme == "https" and parts.hostname and (parts.port or 443) and not parts.query
    except ValueError:  # a port that is no number
        well = False
    if not well or parts.username or parts.password or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("url of salt_api to be an address that begins with https:// and holds no password")


def _texts(key: str, value: Any, names: Collection[str]) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"a mapping with {', '.join(names)}")
    unknown = [str(name)[:80] for name in value if name not in names]
    if unknown:
        raise ValueError(f"{key} to have nothing but {', '.join(names)} (it has {unknown[0]!r})")
    odd = [name for name, said in value.items() if not isinstance(said, str) or not said.strip() or "\0" in said]
    if odd:
        raise ValueError(f"{odd[0]} of {key} to be text")
    return value
