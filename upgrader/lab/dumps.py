"""An operator's own dumps in place of the generated rows: found and refused by name before anything is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import LabRefused

REQUIRED = ("nova", "nova_api")
OPTIONAL = ("nova_cell0",)
# A dump becomes a database, that database a backup, a proof and a copy.
COPIES = 4
# What text, gzip and xz hold of SQL, at most, for one byte on disk.
UNPACKED = {".sql": 1, ".sql.gz": 10, ".sql.xz": 15}
# Suffix -> the command that writes the dump's SQL to its standard output.
READERS = {".sql": ("cat",), ".sql.gz": ("gzip", "-dc"), ".sql.xz": ("xz", "-dc")}


@dataclass(frozen=True)
class Dump:
    """One database's dump."""

    database: str
    path: Path

    @property
    def suffix(self) -> str:
        return self.path.name.removeprefix(self.database)

    @property
    def reader(self) -> list[str]:
        return [*READERS[self.suffix], str(self.path)]

    @property
    def megabytes(self) -> int:
        """What the lab may need for it on disk; an estimate on the safe side."""
        return self.path.stat().st_size * UNPACKED[self.suffix] * COPIES // 1_000_000


def find_dumps(folder: Path) -> tuple[Dump, ...]:
    """The dumps in a folder, one for each database; every file has to be one, so nothing is left out by mistake."""
    if not folder.is_dir():
        raise LabRefused(
            f"--dumps {folder}: there is no such directory; name one that holds nova.sql and nova_api.sql."
        )
    wanted = {f"{name}{suffix}": name for name in (*REQUIRED, *OPTIONAL) for suffix in READERS}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        database = wanted.get(path.name)
        if database is None or not path.is_file():
            raise LabRefused(
                f"--dumps {folder}: {path.name} is no dump that the lab knows; it takes nova, nova_api and nova_cell0 "
                "as .sql, .sql.gz or .sql.xz, so rename it or move it away."
            )
        if database in found:
            raise LabRefused(
                f"--dumps {folder}: {found[database].name} and {path.name} are both there; keep one of them."
            )
        found[database] = path
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise LabRefused(
            f"--dumps {folder}: no dump of {' and '.join(missing)}; put {missing[0]}.sql (or .gz, .xz) there."
        )
    empty = [path.name for path in found.values() if path.stat().st_size == 0]
    if empty:
        raise LabRefused(f"--dumps {folder}: {empty[0]} is empty; dump that database again.")
    return tuple(Dump(name, path) for name, path in found.items())
