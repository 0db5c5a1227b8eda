"""What an operator types for each service, in the reference's order: the tools' own commands, as the reference's formulas have them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from upgrader_node.schema.services.glance import GLANCE_MANAGE
from upgrader_node.service.forked import START

from upgrader.lab.machine.node import Node, node_environment

PACKAGES = "/srv/packages"
HOUR = 3600
UNITS = "etc/systemd/system"
# nova stores this URL unquoted where it makes it itself; read from nova's own file, it is in nobody's command line.
MAP_CELL0 = (
    """\
import sys
from oslo_config import iniparser
class Own(iniparser.BaseParser):
    found, section = {}, ""
    def new_section(self, section): self.section = section
    def assignment(self, key, value): self.found[self.section, key] = "".join(value)
own = Own()
own.parse(open("/etc/nova/nova.conf"))
url = own.found["database", "connection"]
assert url.endswith("/nova"), "nova's database has another name"
sys.argv = ["nova-manage", "--config-file", "/etc/nova/nova.conf", "cell_v2", "map_cell0", "--database_connection", url + "_cell0"]
from nova.cmd.manage import main
sys.exit(main())
""",
)


@dataclass(frozen=True)
class Service:
    """One service: the environment that has its code, its units in the order of their start, and the commands for its schema."""

    name: str
    environment: str
    units: tuple[str, ...]
    schema: tuple[tuple[str, ...], ...]
    more: tuple[str, ...] = ()

    def files(self) -> list[str]:
        """Its part of the configuration, as the archive of one controller names it."""
        return [
            f"etc/{self.name}",
            f"var/lib/{self.name}",
            *(f"{UNITS}/{unit}.service" for unit in self.units),
            *self.more,
        ]


def _as(user: str, environment: str, tool: str, conf: str, *words: str) -> tuple[str, ...]:
    own = ("runuser", "-u", user, "--") if user else ()
    return (*own, f"/opt/{environment}/bin/{tool}", "--config-file", conf, *words)


def _nova(*words: str) -> tuple[str, ...]:
    return _as("", "ocata", "nova-manage", "/etc/nova/nova.conf", *words)


def _glance(*words: str) -> tuple[str, ...]:
    """The lab's passwords hold characters that glance hands to alembic as they are, which ends in an error."""
    conf, tool = "/etc/glance/glance-api.conf", "/opt/pike/bin/glance-manage"
    python = ("/opt/pike/bin/python", "-c", GLANCE_MANAGE + START)
    return ("runuser", "-u", "glance", "--", *python, tool, "--config-file", conf, *words)


SERVICES = (
    Service(
        "keystone",
        "pike",
        ("keystone",),
        (_as("keystone", "pike", "keystone-manage", "/etc/keystone/keystone.conf", "db_sync"),),
    ),
    Service("glance", "pike", ("glance-api",), (_glance("db", "sync"), _glance("db", "load_metadefs"))),
    Service(
        "nova",
        "ocata",
        ("nova-api", "nova-placement-api", "nova-conductor", "nova-scheduler"),
        (
            _nova("api_db", "sync", "--version", "20"),
            _nova("db", "sync", "--version", "334"),
            _nova("db", "online_data_migrations"),
            MAP_CELL0,
            _nova("cell_v2", "create_cell", "--name=cell1"),
            _nova("cell_v2", "discover_hosts"),
            _nova("cell_v2", "map_instances", "--cell_uuid", "CELL1"),
            _nova("api_db", "sync"),
            _nova("db", "sync"),
            _nova("db", "online_data_migrations"),
        ),
    ),
    Service(
        "cinder",
        "ocata",
        ("cinder-api", "cinder-scheduler"),
        (_as("cinder", "ocata", "cinder-manage", "/etc/cinder/cinder.conf", "db", "sync"),),
    ),
    Service(
        "neutron",
        "ocata",
        ("neutron-server",),
        (_as("neutron", "ocata", "neutron-db-manage", "/etc/neutron/neutron.conf", "upgrade", "heads"),),
    ),
    Service(
        "heat",
        "rocky",
        ("heat-engine", "heat-api", "heat-api-cfn"),
        (_as("heat", "rocky", "heat-manage", "/etc/heat/heat.conf", "db_sync"),),
    ),
)
CACHE = "etc/memcached.conf"
CONFIGURATION = f"cd / && tar -cpf - {CACHE} {' '.join(path for one in SERVICES for path in one.files())}"


def backup_command(archive: str, options: Sequence[str]) -> str:
    """As the reference's runner takes one; zstd in the place of its qpress."""
    taken = f"mariadb-backup --backup --user=root --stream=mbstream {' '.join(options)} 2> {archive}.log"
    return f"set -o pipefail; {taken} | zstd -q -1 -T2 -c > {archive}"


def feed(node: Node, words: Sequence[str], content: bytes) -> None:
    """Run a command that reads bytes. Raises RuntimeError with its words when it does not end well."""
    done = subprocess.run(
        node.command(words), input=content, capture_output=True, env=node_environment(), timeout=HOUR, check=False
    )
    _well(node, words, done.returncode, done.stderr)


def pipe(source: Node, said: Sequence[str], target: Node, read: Sequence[str]) -> None:
    """The output of a command on one node into one on another."""
    with subprocess.Popen(source.command(said), stdout=subprocess.PIPE, env=node_environment()) as sender:
        assert sender.stdout is not None
        _into(target, read, sender.stdout)
    _well(source, said, sender.returncode, b"")


def send_folder(folder: Path, node: Node, place: str) -> None:
    """A folder of this machine, to a node."""
    words = ["tar", "-C", str(folder), "-cf", "-", "."]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=node_environment()) as sender:
        assert sender.stdout is not None
        _into(node, ["tar", "-C", place, "-xf", "-"], sender.stdout)
    if sender.returncode != 0:
        raise RuntimeError(f"{folder} could not be read: tar ended with {sender.returncode}")


def _into(node: Node, words: Sequence[str], source: IO[bytes]) -> None:
    done = subprocess.run(
        node.command(words), stdin=source, capture_output=True, env=node_environment(), timeout=HOUR, check=False
    )
    _well(node, words, done.returncode, done.stderr)


def _well(node: Node, words: Sequence[str], code: int, said: bytes) -> None:
    if code != 0:
        raise RuntimeError(f"on {node.name} {words[0]} ended with {code}: {said.decode(errors='replace')[-800:]}")


def write_private(node: Node, path: str, text: str, mode: int) -> None:
    """A file of a node, with its folders, in place of what is there; its content is in nobody's command line."""
    script = 'umask 077; mkdir -p "$(dirname "$1")" && rm -f "$1" && cat > "$1" && chmod "$2" "$1"'
    node.run(["sh", "-c", script, "sh", path, oct(mode)[2:]], input=text)


def everywhere(nodes: Sequence[Node], words: Sequence[str]) -> None:
    """The same command on all of them at once, each well."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(lambda node: node.run(words, timeout=HOUR), nodes))


def names_in(archive: bytes) -> list[str]:
    """What a configuration holds."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return opened.getnames()
