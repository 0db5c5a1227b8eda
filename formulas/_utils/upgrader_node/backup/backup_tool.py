"""The two physical backup tools behind one interface: MariaDB's mariabackup and Percona's xtrabackup."""

import os
import re
import typing

from upgrader_node.database import sql
from upgrader_node.errors import StepError

Words = typing.List[str]


class Tool(typing.NamedTuple):
    """Programs, the name of the stream format, and options of its own: what differs between the tools."""

    backup: str
    stream_format: str
    unpack: str
    options: typing.Tuple[str, ...] = ()


# With Percona's servers xtrabackup would lock tables for a backup in a way that lets InnoDB commit, and leave the cluster's
# position out; without those locks it takes FLUSH TABLES WITH READ LOCK, as it does with every other server.
TOOLS = (
    Tool("mariadb-backup", "mbstream", "mbstream"),
    Tool("mariabackup", "mbstream", "mbstream"),
    Tool("xtrabackup", "xbstream", "xbstream", ("--no-backup-locks",)),
)
Series = typing.Tuple[int, int]
# Which servers, first and last series, each xtrabackup belongs to: MySQL's (Percona's, Codership's), then MariaDB's. From
# MariaDB 10.1 on pages may be compressed or encrypted in a way that only MariaDB's own tool reads.
PERCONA = {
    (2, 3): (((5, 5), (5, 6)), ((5, 5), (10, 0))),
    (2, 4): (((5, 5), (5, 7)), ((5, 5), (10, 0))),
}  # type: typing.Mapping[Series, typing.Tuple[typing.Tuple[Series, Series], typing.Tuple[Series, Series]]]
_OF_MARIADB = re.compile(r"based on MariaDB server (\d+)\.(\d+)")
_OF_PERCONA = re.compile(r"xtrabackup version (\d+)\.(\d+)")
POSITION_FILES = ("xtrabackup_galera_info", "mariadb_backup_galera_info")
SUCCESS = "completed OK!"
# A running server writes the head of its redo log while the tool reads it there, once, at its very beginning (seen with
# 10.11 straight after a checkpoint). Nothing has been copied or locked then.
_UNLUCKY = re.compile(r"Error: cannot read redo log header")
COMPRESSION_THREADS = "-T2"


def need(which: typing.Callable[[str], typing.Optional[str]]) -> Tool:
    """The tool that is installed here. Raises StepError where none is."""
    tool = find(which)
    if tool is None:
        raise StepError(
            "no backup tool on this node: install mariadb-backup (or percona-xtrabackup) of the server's own series"
        )
    return tool


def find(which: typing.Callable[[str], typing.Optional[str]]) -> typing.Optional[Tool]:
    """The tool that is installed here, or None. ``which`` maps a program name to its path or None."""
    for tool in TOOLS:
        if which(tool.backup) and which(tool.unpack):
            return tool
    return None


def backup_command(
    tool: Tool, scratch: str, socket: str, defaults: typing.Optional[str], galera: bool = False
) -> Words:
    """Stream a backup of the whole server to stdout. Credentials are in the ``defaults`` file, never in an argument."""
    first = ["--defaults-extra-file=" + defaults] if defaults else []
    return (
        [tool.backup]
        + first
        + ["--backup", "--stream=" + tool.stream_format, "--target-dir=" + scratch, "--socket=" + socket]
        + list(tool.options)
        + (["--galera-info"] if galera else [])
    )


def unpack_command(tool: Tool, target: str) -> Words:
    """Read a stream from stdin into the folder ``target``."""
    return [tool.unpack, "-x", "-C", target]


def prepare_command(tool: Tool, target: str) -> Words:
    """Roll the redo log forward so that a server can start on the files."""
    return [tool.backup, "--prepare", "--target-dir=" + target]


def position(target: str) -> typing.Optional[typing.Tuple[str, int]]:
    """(cluster uuid, seqno) that a prepared backup of a Galera node is at; None for one of a server that stood alone."""
    for name in POSITION_FILES:
        try:
            with open(os.path.join(target, name)) as file:
                uuid, _, seqno = file.read().split()[0].partition(":")
                return uuid, int(seqno)
        except FileNotFoundError:
            continue
    return None


def compression(which: typing.Callable[[str], typing.Optional[str]]) -> str:
    """What this node packs with: zstd, or gzip where there is none (Ubuntu 14.04 has no package of it)."""
    return "zstd" if which("zstd") else "gzip"


def compress_command(how: str = "zstd") -> Words:
    """The fastest useful level: the network and the source's disks are the bottleneck, not the archive's size."""
    return ["gzip", "-1", "-c"] if how == "gzip" else ["zstd", "-q", "-1", COMPRESSION_THREADS, "-c"]


def decompress_command(how: str = "zstd", archive: str = "") -> Words:
    """An archive, or stdin, to stdout. ``how`` is what the receipt says of it."""
    words = ["gzip", "-d", "-c"] if how == "gzip" else ["zstd", "-q", "-d", "-c"]
    return words + ([archive] if archive else [])


def succeeded(words: str) -> bool:
    """Whether the tool's own last line says so. Its exit code alone is no proof: what fails in the
    middle of a pipe leaves a plausible file behind."""
    lines = [line for line in words.strip().splitlines() if line.strip()]
    return bool(lines) and lines[-1].rstrip().endswith(SUCCESS)


def unlucky(words: str) -> bool:
    """Whether the tool ended at its beginning because the server wrote in that instant: the same command may pass now."""
    return bool(_UNLUCKY.search(words))


def last_complaint(words: str) -> str:
    """The line of the tool's log that says what went wrong, for an error text, behind what InnoDB said of it."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    complaints = [
        line for line in lines if re.search(r"error|failed|denied|cannot|can't|no space", line, re.IGNORECASE)
    ]
    last = (complaints or lines or ["it said nothing"])[-1][-300:]
    causes = [line[line.index("[ERROR]") + 8 :][:300] for line in complaints[:-1] if "[ERROR] InnoDB" in line]
    return "{}; {}".format(causes[-1], last) if causes else last


def series(version: str) -> str:
    """``10.11`` out of a server's version, such as ``10.11.14-MariaDB-0+deb12u2`` or ``mysqld  Ver 5.6.24 for Linux``."""
    numbers = re.search(r"(\d+)\.(\d+)\.\d+", version)
    return "{}.{}".format(*numbers.groups()) if numbers else ""


def named(said: str) -> str:
    """The tool that ``--version`` answered for, in a few words: ``mariabackup 10.11``, ``xtrabackup 2.4`` or ``none``."""
    for name, pattern in (("mariabackup", _OF_MARIADB), ("xtrabackup", _OF_PERCONA)):
        numbers = pattern.search(said)
        if numbers:
            return "{} {}.{}".format(name, *numbers.groups())
    return "none"


def belongs(said: str, server: str) -> bool:
    """Whether the tool that answered ``said`` to ``--version`` is one for a server of this version.

    MariaDB's tool is of the server's own series. Percona's counts its own versions and names beside them the MySQL that it
    is made from: ``xtrabackup version 2.4.29 based on MySQL server 5.7.44`` backs up MySQL 5.6.
    """
    own, numbers = series(server), _OF_MARIADB.search(said)
    if numbers:
        return own == "{}.{}".format(*numbers.groups())
    numbers = _OF_PERCONA.search(said)
    spans = PERCONA.get(_pair(numbers.groups())) if numbers else None
    if not own or spans is None:
        return False
    first, last = spans[sql.MARIADB in server]
    return first <= _pair(own.split(".")) <= last


def _pair(words: typing.Sequence[str]) -> Series:
    return int(words[0]), int(words[1])


def wanted(server: str) -> str:
    """What to install for a server of this version."""
    own = series(server)
    if sql.MARIADB in server and (not own or _pair(own.split(".")) > (10, 0)):
        return "mariadb-backup of series {}".format(own or "of the server")
    fitting = sorted(numbers for numbers in PERCONA if belongs("xtrabackup version {}.{}".format(*numbers), server))
    return " or ".join("percona-xtrabackup {}.{}".format(*numbers) for numbers in fitting) or "its own backup tool"
