"""Database servers of a Mitaka cloud's age on the bench: started for one test module, beside Debian's own, on their own files.

A node that has such a server has its programs and no others, so calls of our modules are made with a PATH of exactly those.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pymysql

from tests.functional.bench import REPOSITORY

MYSQL, MARIADB = Path("/opt/mysql-5.6"), Path("/opt/mariadb-10.5")
STAND_IN = REPOSITORY / "tests" / "support" / "xtrabackup_stand_in.py"
START_SECONDS = 60
CLIENTS = ("mariadb", "mariadb-dump")
DATABASE_PROGRAMS = ("mariadb", "mysql", "mariabackup", "mbstream", "galera")
LOCAL = Path("/usr/local/bin")


@dataclass(frozen=True)
class Server:
    """A server program of another series, and the folder that it lives in while the tests run."""

    series: str
    program: Path
    options: tuple[str, ...]
    port: int
    places: str = ""

    @property
    def home(self) -> Path:
        return Path(f"/var/lib/era-{self.series}")

    @property
    def datadir(self) -> Path:
        return self.home / "mysql"

    @property
    def socket(self) -> Path:
        return self.home / "mysqld.sock"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    def start(self) -> subprocess.Popen[bytes]:
        with (self.home / "error.log").open("ab") as log:
            words = [str(self.program), f"--defaults-file={self.home}/my.cnf", *self.places.split()]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(pymysql.OperationalError):
                pymysql.connect(unix_socket=str(self.socket), user="root").close()
                return process
            time.sleep(0.05)
        process.kill()
        raise AssertionError((self.home / "error.log").read_text()[-2000:])


SERVERS = {
    "5.6": Server("5.6", MYSQL / "bin" / "mysqld", ("innodb_file_per_table = 1",), 33056),
    "10.5": Server(
        "10.5",
        MARIADB / "usr" / "sbin" / "mariadbd",
        (),
        33105,
        f"--lc-messages-dir={MARIADB}/usr/share/mysql --character-sets-dir={MARIADB}/usr/share/mysql/charsets",
    ),
}


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server on a fresh data directory, with the programs that a node of it has; nothing of it is left."""
    shutil.rmtree(server.home, ignore_errors=True)
    server.datadir.mkdir(parents=True)
    server.home.chmod(0o755)
    for path in (server.home, server.datadir):
        shutil.chown(path, "mysql", "mysql")
    _configure(server)
    _install(server)
    process = server.start()
    programs = _programs(server)
    try:
        yield server
    finally:
        process.terminate()
        process.wait(60)
        for program in programs:
            program.unlink()
        shutil.rmtree(server.home)


def _configure(server: Server) -> None:
    lines = [
        f"datadir = {server.datadir}",
        f"socket = {server.socket}",
        f"port = {server.port}",
        f"pid_file = {server.home}/mysqld.pid",
        "user = mysql",
        "bind_address = 127.0.0.1",
        "skip_name_resolve",
        "character_set_server = utf8",
        "innodb_flush_log_at_trx_commit = 0",
        *server.options,
    ]
    (server.home / "my.cnf").write_text("[mysqld]\n" + "\n".join(lines) + "\n")


def _install(server: Server) -> None:
    """The system tables: 5.6 has no program for it that runs here, and reads its own SQL."""
    if server.series == "5.6":
        share = MYSQL / "server" / "share"
        tables = [share / name for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql")]
        text = "CREATE DATABASE mysql;\nUSE mysql;\n" + "".join(path.read_text() for path in tables)
    else:
        share = MARIADB / "usr" / "share" / "mysql"
        names = (
            "mysql_system_tables.sql",
            "mysql_performance_tables.sql",
            "mysql_system_tables_data.sql",
        )
        text = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
        text += "".join((share / name).read_text() for name in names)
    words = [str(server.program), f"--defaults-file={server.home}/my.cnf", *server.places.split(), "--bootstrap"]
    made = subprocess.run(words, input=text, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr[-2000:]


def _programs(server: Server) -> list[Path]:
    """What a node of this server finds on its PATH; the backup tool also where programs of our pipelines are looked for."""
    server.bin.mkdir()
    others = server.home / "others"
    others.mkdir()
    for program in (path for folder in ("/usr/sbin", "/usr/bin") for path in Path(folder).iterdir()):
        if not program.name.startswith(DATABASE_PROGRAMS) and not (others / program.name).is_symlink():
            (others / program.name).symlink_to(program)
    (server.bin / "mysqld").write_text(
        f'#!/bin/sh\ncase "$1" in --no-defaults) exec {server.program} "$@" {server.places} ;; esac\n'
        f'exec {server.program} --defaults-file={server.home}/my.cnf "$@"\n'
    )
    for name in CLIENTS:
        (server.bin / name).symlink_to(str(shutil.which(name)))
    # MySQL 5.6's own dump program cannot be had; that of MariaDB 10.5 still knows such a server, the newer one does not.
    dump = server.bin / "mysqldump"
    dump.write_text(f'#!/bin/sh\nexec {MARIADB}/usr/bin/mariadb-dump "$@"\n')
    dump.chmod(0o755)
    tools = {"mariadb-backup": f"exec {MARIADB}/usr/bin/mariadb-backup", "mbstream": f"exec {MARIADB}/usr/bin/mbstream"}
    if server.series == "5.6":
        tools = {"xtrabackup": f"exec {sys.executable} {STAND_IN}", "xbstream": "exec tar -f -"}
    installed = []
    for name, words in tools.items():
        program = LOCAL / name
        program.write_text(f'#!/bin/sh\n{words} "$@"\n')
        (server.bin / name).symlink_to(program)
        installed.append(program)
    for path in (server.bin / "mysqld", *installed):
        path.chmod(0o755)
    return installed


@contextlib.contextmanager
def programs_of(server: Server, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """In this process only that node's database programs are found, and every program that has to do with none."""
    before = environment["PATH"]
    os.environ["PATH"] = f"{server.bin}:{server.home}/others"
    try:
        yield
    finally:
        os.environ["PATH"] = before
