"""Fills the lab's database server: users, the Mitaka schemas and their rows, or an operator's own dumps.

Everything goes through the node's own Unix socket as root: no password is needed, and none is on a command line.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pymysql

from upgrader.errors import LabError, LabRefused
from upgrader.lab.contents.dumps import DATABASES, Dump
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.contents.services import SERVICE_OF, SERVICES
from upgrader.lab.machine.node import Node, node_environment
from upgrader.lab.machine.process import wait_until

SERVER_SECONDS = 60

CREATE_TABLE = re.compile(r"^CREATE TABLE `(\w+)`")

Update = Callable[[str], None]
Connection: TypeAlias = "pymysql.connections.Connection[Any]"


def connect(node: Node) -> Connection:
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


def create_users(connection: Connection, passwords: Passwords) -> None:
    """Each service's user for its own databases, and the operator's who may create the copies and grant rights on them."""
    with connection.cursor() as cursor:
        for service in SERVICES:
            password = passwords.services[service.name]
            cursor.execute(f"CREATE OR REPLACE USER {service.name}@'%%' IDENTIFIED BY %s", (password,))
            for database in service.databases:
                cursor.execute(f"GRANT ALL ON {database}.* TO {service.name}@'%'")
        cursor.execute("CREATE OR REPLACE USER upgrader@'%%' IDENTIFIED BY %s", (passwords.upgrader,))
        cursor.execute("GRANT ALL ON *.* TO upgrader@'%' WITH GRANT OPTION")


def create_databases(connection: Connection, names: Sequence[str]) -> None:
    """Empty databases; whatever an interrupted load left is dropped."""
    with connection.cursor() as cursor:
        for name in DATABASES:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        for name in names:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8 COLLATE utf8_general_ci")


def load_schema(node: Node, database: str, path: Path) -> None:
    """The exact Mitaka schema that the service's own tool built with the images."""
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
    """Streams a dump into its database; one that cannot be read or loaded whole is refused."""
    try:
        _stream(node, dump, update)
    except LabError as reason:
        raise LabRefused(f"{reason} Take that dump again.") from None


def _stream(node: Node, dump: Dump, update: Update) -> None:
    """The reader and the client both have to end well, whoever of them ends first."""
    reader = subprocess.Popen(dump.reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False)
    client = subprocess.Popen(
        _client(node, dump.database),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
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
        raise LabError(
            f"{dump.path} cannot be read (exit code {reader.returncode}): {complaint.decode(errors='replace').strip()}"
        )


def require_mitaka(connection: Connection, schemas: Mapping[str, Path], origin: str) -> None:
    """Refuses databases that are not at Mitaka's versions, or lack tables of Mitaka's, naming what was found.

    ``schemas`` names them, each with Mitaka's schema of it. A plain dump that was cut off between two statements loads
    without an error: only its missing tables tell.
    """
    mitaka = {database: SERVICE_OF[database].databases[database] for database in schemas}
    found = {database: _version(connection, database) for database in schemas}
    wrong = [
        f"{database} is at {found[database] or 'no version'} (Mitaka: {version})"
        for database, version in mitaka.items()
        if found[database] != version
    ]
    if wrong:
        raise LabRefused(f"{origin} is not a Mitaka cloud: {'; '.join(wrong)}; give dumps taken from Mitaka databases.")
    for database, schema in schemas.items():
        missing = sorted(schema_tables(schema) - _tables(connection, database))
        if missing:
            raise LabRefused(
                f"{origin} is not whole: {database} lacks {len(missing)} of Mitaka's tables, {missing[0]} among them; "
                "dump that database again, with all its tables."
            )


def schema_tables(schema: Path) -> set[str]:
    """The tables that a dump of a schema creates."""
    with gzip.open(schema, "rt", encoding="utf-8") as lines:
        return {match[1] for line in lines if (match := CREATE_TABLE.match(line))}


def _tables(connection: Connection, database: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", (database,))
        return {str(row[0]) for row in cursor.fetchall()}


def _version(connection: Connection, database: str) -> str:
    table, column = SERVICE_OF[database].version_column.split(".")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
            (database, table),
        )
        if cursor.fetchone() == (0,):
            return ""
        cursor.execute(f"SELECT {column} FROM `{database}`.{table}")
        return ", ".join(sorted(str(row[0]) for row in cursor.fetchall()))
