"""Founding a Galera cluster by its first member: every packager made another way for it, so the node is looked at.

All of them hand ``--wsrep-new-cluster`` to the server; no option file is touched by any.
"""

import os
import re
import typing

from upgrader_node.restore.service_control import Server, on_systemd

Words = typing.List[str]
INIT_SCRIPTS = "/etc/init.d"
UNIT_FOLDERS = ("/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
Which = typing.Callable[[str], typing.Optional[str]]


class Way(typing.NamedTuple):
    """One way: how it is recognised on a node, and the command, both by the service's name."""

    recognised: typing.Callable[[str, Which], bool]
    command: typing.Callable[[str], Words]


def _script_has(pattern: str) -> typing.Callable[[str, Which], bool]:
    """Whether the service's init script has a line like this."""

    def recognised(name: str, _: Which) -> bool:
        try:
            with open(os.path.join(INIT_SCRIPTS, name), errors="replace") as file:
                return bool(re.search(pattern, file.read(), re.MULTILINE))
        except OSError:
            return False

    return recognised


def _starts_with_arguments(name: str, which: Which) -> bool:
    return not on_systemd() and _script_has(r"\$other_args|\$\{@:2\}|\$@|wsrep[-_]new[-_]cluster")(name, which)


# The first that is recognised is taken. MariaDB from 10.1 on a node with systemd; Percona's unit; Percona's init script
# (also beside systemd); MariaDB's and Codership's; any older one that hands its arguments to mysqld_safe.
WAYS = (
    Way(
        lambda name, which: on_systemd() and bool(which("galera_new_cluster")),
        lambda name: ["galera_new_cluster", name],
    ),
    Way(
        lambda name, which: on_systemd() and bool(bootstrap_unit(name)),
        lambda name: ["systemctl", "start", bootstrap_unit(name)],
    ),
    Way(_script_has(r"^\s*['\"]?bootstrap-pxc['\"]?\s*\)"), lambda name: ["service", name, "bootstrap-pxc"]),
    Way(_script_has(r"^\s*['\"]?bootstrap['\"]?\s*\)"), lambda name: ["service", name, "bootstrap"]),
    Way(_starts_with_arguments, lambda name: ["service", name, "start", "--wsrep-new-cluster"]),
)


def bootstrap_unit(name: str) -> str:
    """Percona's unit that starts the same server as a founder, ``mysql@bootstrap.service``, or an empty text."""
    there = any(os.path.exists(os.path.join(folder, name + "@.service")) for folder in UNIT_FOLDERS)
    return name + "@bootstrap.service" if there else ""


def command(server: Server, which: Which) -> Words:
    """The command that founds a cluster on this node, or an empty list when no way is known here."""
    return next((way.command(server.name) for way in WAYS if way.recognised(server.name, which)), [])
