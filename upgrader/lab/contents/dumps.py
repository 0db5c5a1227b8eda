"""An operator's own dumps in place of generated rows: found and refused by name before anything is started."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import LabRefused
from upgrader.lab.contents.services import SERVICE_OF

# No Mitaka cloud has a nova_cell0; one that has been prepared for Ocata does.
DATABASES = (*SERVICE_OF, "nova_cell0")
# Rows of one point into the other: generated rows of one do not fit a dump of the other.
TOGETHER = ("nova", "nova_api")
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
    """The dumps in a folder, of any of the databases; every file has to be one, so nothing is left out by mistake."""
    if not folder.is_dir():
        raise LabRefused(
            f"--dumps {folder}: there is no such directory; name one that holds dumps such as nova.sql and nova_api.sql."
        )
    wanted = {f"{name}{suffix}": name for name in DATABASES for suffix in READERS}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        database = wanted.get(path.name)
        if database is None or not path.is_file():
            raise LabRefused(
                f"--dumps {folder}: {path.name} is no dump that the lab knows; it takes {', '.join(DATABASES)} "
                "as .sql, .sql.gz or .sql.xz, so rename it or move it away."
            )
        if database in found:
            raise LabRefused(
                f"--dumps {folder}: {found[database].name} and {path.name} are both there; keep one of them."
            )
        found[database] = path
    _judge_names(folder, found)
    empty = [path.name for path in found.values() if path.stat().st_size == 0]
    if empty:
        raise LabRefused(f"--dumps {folder}: {empty[0]} is empty; dump that database again.")
    return tuple(Dump(name, path) for name, path in found.items())


def dump_names(folder: Path) -> frozenset[str]:
    """The databases of which a folder has dumps, as far as it is still there."""
    names = {path.name.partition(".")[0] for path in folder.iterdir()} if folder.is_dir() else set()
    return frozenset(names & set(DATABASES))


def _judge_names(folder: Path, found: Collection[str]) -> None:
    if not found:
        raise LabRefused(
            f"--dumps {folder}: there is no dump in it; put {', '.join(SERVICE_OF)} there as .sql, .sql.gz or .sql.xz, "
            "or leave --dumps out."
        )
    missing = [name for name in TOGETHER if name not in found]
    if missing and any(name.startswith("nova") for name in found):
        raise LabRefused(
            f"--dumps {folder}: no dump of {' and '.join(missing)}, though there is one of "
            f"{' and '.join(sorted(name for name in found if name.startswith('nova')))}; nova's databases belong "
            f"together: put {missing[0]}.sql (or .gz, .xz) there too, or take nova's away to have them generated."
        )
