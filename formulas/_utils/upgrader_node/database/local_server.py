"""The database server of this node: how to log in, where its data is, which backup tool is beside it.

Everything is read from ``settings.client`` and from the server's own option files.
"""

import os
import typing

from upgrader_node.database import connection, sql
from upgrader_node.host import pipeline, settings

SOCKET = "/run/mysqld/mysqld.sock"
DATADIR = "/var/lib/mysql"
ACCOUNT = "pillar " + settings.CLIENT_ACCOUNT
OPTION_READERS = ("mariadbd", "mysqld")
Client = typing.Mapping[str, typing.Any]


class LocalServer(typing.NamedTuple):
    """The database server of this node: the node's name, the driver's module, and what ``settings.client`` says of it."""

    node: str
    driver: typing.Any
    client: Client

    def connect(self) -> typing.Any:
        """A fresh connection. Raises ``database.connection.ConnectionRefused``."""
        return connect(self.driver, self.client)


def socket(client: Client) -> str:
    """Where the server listens for clients of this node."""
    return str(client.get("database", {}).get("socket", SOCKET))


def connect(driver: typing.Any, client: Client, **more: typing.Any) -> typing.Any:
    """A connection to this node's server. Raises ``database.connection.ConnectionRefused``."""
    account = client.get("database", {})
    return connection.connect(
        driver,
        ACCOUNT,
        unix_socket=socket(client),
        user=account.get("user", "root"),
        password=account.get("password", ""),
        **more,
    )


def defaults(client: Client, folder: str) -> str:
    """Credentials from pillar in a file of their own; without any, root's over the socket.

    The name is always said: mariabackup 10.5 without one logs in as nobody.
    """
    account = client.get("database", {})
    return option_file(os.path.join(folder, "client.cnf"), account.get("user", "root"), account.get("password", ""))


def option_file(path: str, user: str, password: str) -> str:
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


def dump_programs(server: typing.Any) -> typing.Tuple[str, ...]:
    """Names of the program that dumps a server (a connection to it), the better one first.

    MariaDB's own from 10.6 on or so asks for a column that MySQL 5.6 lacks (information_schema's generation_expression).
    """
    ours, theirs = "mariadb-dump", "mysqldump"
    return (ours, theirs) if sql.MARIADB in str(sql.scalar(server, "SELECT VERSION()")) else (theirs, ours)


def options(which: typing.Callable[[str], typing.Optional[str]]) -> typing.Dict[str, str]:
    """What the server's option files say, by option name with underscores; the last word wins, as it does for the server.

    Asked of the server program itself (``--print-defaults``), which works while no server runs. Empty without a program.
    """
    program = next(filter(None, map(which, OPTION_READERS)), None)
    if program is None:
        return {}
    text = pipeline.output([program, "--print-defaults"], timeout=30)
    held = {}  # type: typing.Dict[str, str]
    for word in text.split():
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            held[name.replace("-", "_")] = value
    return held


def datadir(which: typing.Callable[[str], typing.Optional[str]]) -> str:
    """The real path of the data directory, whether the server runs or not."""
    return os.path.realpath(options(which).get("datadir") or DATADIR)
