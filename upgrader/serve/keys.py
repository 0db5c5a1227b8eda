"""Who may look: a token that is made at the start or kept in a file, and what a browser holds instead of it afterwards."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from upgrader_node.host import files

from upgrader.errors import UsageError

SHORTEST = 32
"""Characters of a token."""


@dataclass(frozen=True, repr=False)
class Keys:
    """The token, and what follows from it. None of it is printed but by whoever shows the address once."""

    token: str

    def fits(self, given: str) -> bool:
        """Whether somebody has the token. Takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    @property
    def cookie(self) -> str:
        """What a browser keeps; the token cannot be had from it."""
        return self._made("cookie")

    def fits_cookie(self, given: str) -> bool:
        """Whether this is a browser that had the token."""
        return hmac.compare_digest(given.encode(), self.cookie.encode())

    @property
    def csrf(self) -> str:
        """What a form of ours holds, and another site's page cannot read."""
        return self._made("csrf")

    def fits_csrf(self, given: str) -> bool:
        """Whether a form was ours."""
        return hmac.compare_digest(given.encode(), self.csrf.encode())

    def _made(self, what: str) -> str:
        return hmac.new(self.token.encode(), what.encode(), hashlib.sha256).hexdigest()


def new_keys() -> Keys:
    """With a token of this process's life."""
    return Keys(secrets.token_urlsafe(SHORTEST))


def keys_in(path: Path) -> Keys:
    """With the token in a file, which is made where there is none. Raises UsageError for one that others can read, or too short."""
    try:
        if not path.exists():
            files.write(str(path), secrets.token_urlsafe(SHORTEST) + "\n")
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(4096).strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain ASCII"
        raise UsageError(
            f"token file {path} cannot be read or made: {why}; name another one with --token-file"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"token file {path} can be read by others: chmod 600 {path}")
    if len(token) < SHORTEST or not token.isprintable() or " " in token:
        raise UsageError(
            f"token file {path} holds no token of at least {SHORTEST} characters: remove it, and one is made"
        )
    return Keys(token)
