"""The transports by name. Each is made on demand: importing Salt takes up to a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from upgrader.errors import UsageError

if TYPE_CHECKING:
    from upgrader.config.access import SaltApi, SaltSsh
    from upgrader.transport.base import Transport


@dataclass(frozen=True)
class Access:
    """What opens a door: the Salt configuration that ``--salt-config`` names, and what files of configuration say besides."""

    salt_config: Path
    salt_api: SaltApi | None = None
    salt_ssh: SaltSsh | None = None


def _master(access: Access) -> Transport:
    from upgrader.transport.master import MasterTransport

    return MasterTransport(access.salt_config)


def _api(access: Access) -> Transport:
    from upgrader.transport.api.door import ApiTransport
    from upgrader.transport.api.session import Session

    if access.salt_api is None:
        raise UsageError(
            "transport api needs key salt_api in /etc/upgrader.yaml or ~/.config/upgrader.yaml: url, and either user with "
            "password_file or token_file (docs/transports.md)"
        )
    return ApiTransport(Session(access.salt_api), access.salt_api.master)


def _ssh(access: Access) -> Transport:
    from upgrader.transport.ssh.door import SshTransport

    if access.salt_ssh is None:
        raise UsageError(
            "transport ssh needs key salt_ssh in /etc/upgrader.yaml or ~/.config/upgrader.yaml: roster, known_hosts and master "
            "(docs/transports.md)"
        )
    return SshTransport(access.salt_ssh, access.salt_config)


DOORS: dict[str, Callable[[Access], Transport]] = {"master": _master, "api": _api, "ssh": _ssh}
"""Name to what opens it."""
