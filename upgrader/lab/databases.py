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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pymysql

from upgrader.errors import LabError, LabRefused
from upgrader.lab.dumps import OPTIONAL, REQUIRED, Dump
from upgrader.lab.node import Node, node_environment
from upgrader.lab.passwords import Passwords
from upgrader.lab.process import wait_until

# facts/nova.md section 2: what Mitaka's code leaves behind.
MITAKA = {"nova": 319, "nova_api": 7}
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
    """The service's user for its own databases, and the operator's who may create the copies and grant rights on them."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE USER nova@'%%' IDENTIFIED BY %s", (passwords.nova,))
        for database in REQUIRED:
            cursor.execute(f"GRANT ALL ON {database}.* TO nova@'%'")
        cursor.execute("CREATE OR REPLACE USER upgrader@'%%' IDENTIFIED BY %s", (passwords.upgrader,))
        cursor.execute("GRANT ALL ON *.* TO upgrader@'%' WITH GRANT OPTION")


def create_databases(connection: Connection, names: Sequence[str]) -> None:
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


def require_mitaka(connection: Connection, schemas: Path, origin: str) -> None:
    """Refuses anything that is not at Mitaka's schema versions, or lacks tables of Mitaka's, naming what was found.

    A plain dump that was cut off between two statements loads without an error: only its missing tables tell.
    """
    found = {database: _version(connection, database) for database in MITAKA}
    wrong = [
        f"{database} is at {found[database] or 'no version'} (Mitaka: {version})"
        for database, version in MITAKA.items()
        if found[database] != str(version)
    ]
    if wrong:
        raise LabRefused(f"{origin} is not a Mitaka cloud: {'; '.join(wrong)}; give dumps taken from Mitaka databases.")
    for database in MITAKA:
        missing = sorted(schema_tables(schemas / f"{database}.sql.gz") - _tables(connection, database))
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
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = 'migrate_version'",
            (database,),
        )
        if cursor.fetchone() == (0,):
            return ""
        cursor.execute(f"SELECT version FROM `{database}`.migrate_version")
        return ", ".join(str(row[0]) for row in cursor.fetchall())
