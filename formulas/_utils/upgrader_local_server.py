"""The database server of this node: how to log in, where its data is, which backup tool is beside it.

Everything is read from pillar ``xtrabackup:client`` and from the server's own option files.
"""

import os
import typing

import upgrader_backup_tool
import upgrader_connection
import upgrader_pipeline

SOCKET = "/run/mysqld/mysqld.sock"
DATADIR = "/var/lib/mysql"
ACCOUNT = "pillar xtrabackup:client:database"
OPTION_READERS = ("mariadbd", "mysqld")
Client = typing.Mapping[str, typing.Any]


def socket(client: Client) -> str:
    """Where the server listens for clients of this node."""
    return str(client.get("database", {}).get("socket", SOCKET))


def connect(driver: typing.Any, client: Client, **more: typing.Any) -> typing.Any:
    """A connection to this node's server. Raises ``upgrader_connection.ConnectionRefused``."""
    account = client.get("database", {})
    return upgrader_connection.connect(
        driver,
        ACCOUNT,
        unix_socket=socket(client),
        user=account.get("user", "root"),
        password=account.get("password", ""),
        **more,
    )


def defaults(client: Client, folder: str) -> typing.Optional[str]:
    """Credentials from pillar in a file of their own, or none: then a program logs in as root over the socket."""
    account = client.get("database", {})
    if not account.get("password"):
        return None
    return upgrader_backup_tool.defaults_file(
        os.path.join(folder, "client.cnf"), account.get("user", "root"), account["password"]
    )


def options(which: typing.Callable[[str], typing.Optional[str]]) -> typing.Dict[str, str]:
    """What the server's option files say, by option name with underscores; the last word wins, as it does for the server.

    Asked of the server program itself (``--print-defaults``), which works while no server runs. Empty without a program.
    """
    program = next((found for found in map(which, OPTION_READERS) if found), None)
    if program is None:
        return {}
    text = upgrader_pipeline.output([program, "--print-defaults"], timeout=30)
    found = {}  # type: typing.Dict[str, str]
    for word in text.split():
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            found[name.replace("-", "_")] = value
    return found


def datadir(which: typing.Callable[[str], typing.Optional[str]]) -> str:
    """The real path of the data directory, whether the server runs or not."""
    return os.path.realpath(options(which).get("datadir") or DATADIR)
