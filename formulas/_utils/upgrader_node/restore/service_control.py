"""Starting and stopping the database server through Salt's own ``service`` module, whichever init system the node has."""

import os
import typing

from upgrader_node.errors import StepError

Functions = typing.Mapping[str, typing.Callable[..., typing.Any]]
NAMES = ("mariadb", "mysql")


class ServiceFailed(StepError):
    """The service does not do what it was told; the message says what it said itself, and what to do."""


class Server(typing.NamedTuple):
    """The server as a service of this node: its name, its data directory, and Salt's functions (``__salt__``)."""

    name: str
    datadir: str
    salt: Functions

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return "Server({})".format(self.name)


def on_systemd() -> bool:
    """Whether systemd is this node's init; its programs alone are no sign of it (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def find(salt: Functions, datadir: str) -> Server:
    """The service of the database server, whichever of the two names this node has. Raises ServiceFailed."""
    for name in NAMES:
        if salt["service.available"](name):
            return Server(name, datadir, salt)
    raise ServiceFailed("this node has no service named {}: install the database server".format(" or ".join(NAMES)))


def start(server: Server) -> bool:
    """Ask for a start; whether the init system calls it a success. Salt's own error comes through where it raises one.

    systemd is not waited for. An init script waits by itself, half a minute as a rule, and calls a member that still
    receives its state a failure: how far the server comes is for the caller to watch.
    """
    return bool(server.salt["service.start"](server.name, **({"no_block": True} if on_systemd() else {})))


def stop(server: Server, name: str) -> bool:
    """Stop the server, or another unit of the same server, and wait for it; whether the init system calls it a success."""
    return bool(server.salt["service.stop"](name))


def starts_at_boot(server: Server) -> bool:
    """Whether the init system starts the server by itself when the node comes up."""
    return bool(server.salt["service.enabled"](server.name))


def at_boot(server: Server, wanted: bool) -> None:
    """Have the server started at boot, or not. Raises ServiceFailed."""
    if not server.salt["service.enable" if wanted else "service.disable"](server.name):
        word = "enabled" if wanted else "disabled"
        raise ServiceFailed(
            "{0} cannot be {1} at boot: look at 'systemctl status {0}', then 'upgrader resume'".format(server, word)
        )
