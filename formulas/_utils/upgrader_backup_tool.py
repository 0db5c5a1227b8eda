"""The two physical backup tools behind one interface: MariaDB's mariabackup and Percona's xtrabackup."""

import os
import re
import typing

Words = typing.List[str]


class Tool(typing.NamedTuple):
    """Programs and the name of the stream format: what differs between the tools."""

    backup: str
    stream_format: str
    unpack: str


TOOLS = (
    Tool("mariadb-backup", "mbstream", "mbstream"),
    Tool("mariabackup", "mbstream", "mbstream"),
    Tool("xtrabackup", "xbstream", "xbstream"),
)
POSITION_FILES = ("xtrabackup_galera_info", "mariadb_backup_galera_info")
SUCCESS = "completed OK!"
COMPRESSION_THREADS = "-T2"


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


def compress_command() -> Words:
    """zstd at its fastest useful level: the network and the source's disks are the bottleneck, not the archive's size."""
    return ["zstd", "-q", "-1", COMPRESSION_THREADS, "-c"]


def decompress_command(archive: str) -> Words:
    """The archive to stdout."""
    return ["zstd", "-q", "-d", "-c", archive]


def succeeded(words: str) -> bool:
    """Whether the tool's own last line says so. Its exit code alone is not proof (facts/lab.md, Databases)."""
    lines = [line for line in words.strip().splitlines() if line.strip()]
    return bool(lines) and lines[-1].rstrip().endswith(SUCCESS)


def last_complaint(words: str) -> str:
    """The line of the tool's log that says what went wrong, for an error text."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    complaints = [
        line for line in lines if re.search(r"error|failed|denied|cannot|can't|no space", line, re.IGNORECASE)
    ]
    return (complaints or lines or ["it said nothing"])[-1][-300:]


def series(version: str) -> str:
    """``10.11`` out of a version string such as ``10.11.14-MariaDB-0+deb12u2`` or ``mariabackup based on MariaDB server 10.11.14``."""
    found = re.search(r"(\d+)\.(\d+)\.\d+", version)
    return "{}.{}".format(*found.groups()) if found else ""


def defaults_file(path: str, user: str, password: str) -> str:
    """Write a client option file that holds credentials: 0600 from its first moment on. Returns the path."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    with os.fdopen(descriptor, "w") as file:
        file.write(
            '[client]\nuser="{}"\npassword="{}"\n[mariabackup]\nuser="{}"\npassword="{}"\n'.format(
                user, quoted, user, quoted
            )
        )
    return path
