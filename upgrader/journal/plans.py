"""Plans that were shown, kept until they are run or pushed out: ``<state dir>/<cloud>/plans/<digest>.json``, owner only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from upgrader_node.host import files

from upgrader.errors import UpgradeError, UsageError

KEPT = 20
SHORTEST = 6
"""So many digits of a digest are the least that names a plan."""


@dataclass(frozen=True)
class Shelf:
    """The newest ``KEPT`` plans of every cloud below one folder."""

    root: Path

    def keep(self, cloud: str, digest: str, text: str) -> None:
        """Keep one plan's text under its digest, and let go of the oldest beyond the bound."""
        folder = self.root / cloud / "plans"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.write(str(folder / f"{digest}.json"), text)
            for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)[:-KEPT]:
                path.unlink()
        except OSError as error:
            raise UpgradeError(
                f"the plan cannot be kept in {folder}: {error.strerror}; run as the user who owns {self.root}"
            ) from error

    def find(self, digest: str) -> str:
        """The text of the plan whose digest begins so. Raises UsageError that names what is kept."""
        kept = sorted(self.root.glob("*/plans/*.json"))
        fitting = [path for path in kept if len(digest) >= SHORTEST and path.stem.startswith(digest)]
        if len(fitting) == 1:
            return fitting[0].read_text()
        names = ", ".join(path.stem[:12] for path in kept) or "none"
        why = "fits several plans" if fitting else "is neither a file nor the digest of a plan that is kept"
        raise UsageError(
            f"{digest} {why} (kept: {names}; the newest {KEPT} of a cloud): make the plan again with 'upgrader plan'"
        )
