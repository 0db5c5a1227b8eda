"""Fills the lab's database server: users, the Mitaka schemas and their rows, or an operator's own dumps.

Everything goes through the node's own Unix socket as root: no password is needed, and none is on a command line.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pymysql

from upgrader.errors import LabError, LabRefused
from upgrader.lab.dumps import OPTIONAL, REQUIRED, Dump
from upgrader.lab.node import Node, node_environment
from upgrader.lab.passwords import Passwords
from upgrader.lab.process import wait_until

# facts/nova.md section 2: what Mitaka's code leaves behind.
MITAKA = {"nova": 319, "nova_api": 7}
SERVER_SECONDS = 60

Update = Callable[[str], None]


def connect(node: Node) -> pymysql.connections.Connection[Any]:
    """A connection as the server's root, over the socket in the node's own file system."""
    socket = node.root / "run/mysqld/mysqld.sock"
    return pymysql.connect(unix_socket=str(socket), user="root", charset="utf8mb4", autocommit=True)


def wait_for_server(node: Node) -> None:
    """Returns when the server answers."""
    seen = ["nothing yet"]

    def answers() -> bool:
        try:
            connect(node).close()
        except (pymysql.err.OperationalError, FileNotFoundError) as reason:
            seen[0] = str(reason)
            return False
        return True

    wait_until(answers, SERVER_SECONDS, f"MariaDB on {node.name}", lambda: seen[0])


def create_users(connection: pymysql.connections.Connection[Any], passwords: Passwords) -> None:
    """The service's user for its own databases, and the operator's who may create the copies and grant rights on them."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE USER nova@'%%' IDENTIFIED BY %s", (passwords.nova,))
        for database in REQUIRED:
            cursor.execute(f"GRANT ALL ON {database}.* TO nova@'%'")
        cursor.execute("CREATE OR REPLACE USER upgrader@'%%' IDENTIFIED BY %s", (passwords.upgrader,))
        cursor.execute("GRANT ALL ON *.* TO upgrader@'%' WITH GRANT OPTION")


def create_databases(connection: pymysql.connections.Connection[Any], names: Sequence[str]) -> None:
    """Empty databases; whatever an interrupted load left is dropped."""
    with connection.cursor() as cursor:
        for name in (*REQUIRED, *OPTIONAL):
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        for name in names:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8 COLLATE utf8_general_ci")


def load_schemas(node: Node, folder: Path) -> None:
    """The exact Mitaka schemas that nova-manage built with the images: `folder` is /opt/mitaka of that layer."""
    for database in MITAKA:
        path = folder / f"{database}.sql.gz"
        with gzip.open(path) as schema, tempfile.TemporaryFile() as plain:
            shutil.copyfileobj(schema, plain)
            plain.seek(0)
            _feed(node, database, plain, str(path))


def _client(node: Node, database: str) -> list[str]:
    return node.command(["mariadb", "--batch", "--default-character-set=utf8mb4", database])


def _feed(node: Node, database: str, stream: Any, origin: str) -> None:
    done = subprocess.run(
        _client(node, database), stdin=stream, capture_output=True, text=True, env=node_environment(), check=False
    )
    _judge_client(done.returncode, done.stderr, database, origin)


def _judge_client(code: int, errors: str, database: str, origin: str) -> None:
    if code != 0 or "ERROR" in errors:
        raise LabError(f"Loading {origin} into {database} failed (exit code {code}): {errors.strip()[:500]}")


def load_dump(node: Node, dump: Dump, update: Update) -> None:
    """Streams a dump into its database; the reader and the client both have to end well."""
    reader = subprocess.Popen(dump.reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False)
    client = subprocess.Popen(
        _client(node, dump.database), stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env=node_environment(),
    )
    assert reader.stdout and client.stdin
    read, told = 0, time.monotonic()
    try:
        while block := reader.stdout.read(1 << 20):
            client.stdin.write(block)
            read += len(block)
            if time.monotonic() - told > 1:
                told = time.monotonic()
                update(f"{dump.path.name}: {read >> 20} MiB of SQL")
        client.stdin.close()
    except BrokenPipeError:
        # The client has gone and says why on its stderr; the reader is not waited for to fill a pipe nobody reads.
        reader.kill()
    finally:
        client.stdin = None
    _, errors = client.communicate()
    _judge_client(client.returncode, errors.decode(errors="replace"), dump.database, str(dump.path))
    _, complaint = reader.communicate()
    if reader.returncode != 0:
        raise LabError(f"{dump.path} cannot be read (exit code {reader.returncode}): {complaint.decode(errors='replace').strip()}")


def require_mitaka(connection: pymysql.connections.Connection[Any], origin: str) -> None:
    """Refuses anything that is not at Mitaka's schema versions, naming what was found."""
    found = {database: _version(connection, database) for database in MITAKA}
    wrong = [f"{database} is at {found[database] or 'no version'} (Mitaka: {MITAKA[database]})" for database in MITAKA
             if found[database] != str(MITAKA[database])]
    if wrong:
        raise LabRefused(f"{origin} is not a Mitaka cloud: {'; '.join(wrong)}; give dumps taken from Mitaka databases.")


def _version(connection: pymysql.connections.Connection[Any], database: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = 'migrate_version'",
            (database,),
        )
        if cursor.fetchone() == (0,):
            return ""
        cursor.execute(f"SELECT version FROM `{database}`.migrate_version")
        return ", ".join(str(row[0]) for row in cursor.fetchall())
