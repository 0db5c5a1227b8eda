"""A stand-in for one of Mitaka's services, of which no registry has the code. A lab's controller runs this file as it is:
`lab-mitaka UNIT`, with Salt's Python, which has PyMySQL.

It holds a connection to the service's database as the real one does, under the account that stands in the service's own
configuration file. An API answers GET of its root with the versions that Mitaka's has, and GET of its list with ids and names
of the rows; anything else is not found. Nothing is ever written.
"""

from __future__ import annotations

import configparser
import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

SECONDS = 2
# What `upgrader` never sees in a real cloud: it says that this is none.
MARK = "X-Lab-Stand-In"


@dataclass(frozen=True)
class Unit:
    """One of Mitaka's services on a controller: the file that names its database, and what it answers if it has an API."""

    conf: str
    ports: tuple[int, ...] = ()
    status: int = 200
    versions: Any = None
    path: str = ""
    key: str = ""
    rows: str = ""


HERE = "here:"
"""Stands in the documents for the address under which a client asks."""


def _links(path: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": f"{HERE}/{path}/"}]


def _versions(*known: tuple[str, str]) -> list[dict[str, Any]]:
    """Each with the path of its major version, as the catalogue has it."""
    return [{"id": name, "status": status, "links": _links(name.partition(".")[0])} for name, status in known]


# The documents of Mitaka's APIs: keystone 9, glance 12, nova 13, cinder 8, neutron 8, heat 6.
NOVA_VERSIONS = [
    {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "", "links": _links("v2")},
    {"id": "v2.1", "status": "CURRENT", "version": "2.25", "min_version": "2.1", "links": _links("v2.1")},
]
CINDER_VERSIONS = [
    *_versions(("v1.0", "DEPRECATED"), ("v2.0", "SUPPORTED")),
    {"id": "v3.0", "status": "CURRENT", "version": "3.0", "min_version": "3.0", "links": _links("v3")},
]
KEYSTONE_VERSIONS = [
    {"id": "v3.6", "status": "stable", "links": _links("v3")},
    {"id": "v2.0", "status": "stable", "links": _links("v2.0")},
]
GLANCE_VERSIONS = _versions(
    ("v2.3", "CURRENT"), ("v2.2", "SUPPORTED"), ("v2.1", "SUPPORTED"), ("v2.0", "SUPPORTED"),
    ("v1.1", "SUPPORTED"), ("v1.0", "SUPPORTED"),
)  # fmt: skip
KEYSTONE, GLANCE, NOVA = "/etc/keystone/keystone.conf", "/etc/glance/glance-api.conf", "/etc/nova/nova.conf"
CINDER, NEUTRON, HEAT = "/etc/cinder/cinder.conf", "/etc/neutron/neutron.conf", "/etc/heat/heat.conf"
UNITS: Mapping[str, Unit] = {
    "keystone": Unit(
        KEYSTONE, (5000, 35357), 300, {"versions": {"values": KEYSTONE_VERSIONS}},
        "/v3/users", "users", "SELECT user_id AS id, name FROM local_user",
    ),
    "glance-api": Unit(
        GLANCE, (9292,), 300, {"versions": GLANCE_VERSIONS},
        "/v2/images", "images", "SELECT id, name FROM images WHERE deleted = 0",
    ),
    "nova-api": Unit(
        NOVA, (8774,), 200, {"versions": NOVA_VERSIONS},
        "/v2.1/servers", "servers", "SELECT uuid AS id, display_name AS name FROM instances WHERE deleted = 0",
    ),
    "cinder-api": Unit(
        CINDER, (8776,), 300, {"versions": CINDER_VERSIONS},
        "/v2/volumes", "volumes", "SELECT id, display_name AS name FROM volumes WHERE deleted = 0",
    ),
    "neutron-server": Unit(
        NEUTRON, (9696,), 200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": _links("v2.0")}]},
        "/v2.0/networks", "networks", "SELECT id, name FROM networks",
    ),
    "heat-api": Unit(
        HEAT, (8004,), 300, {"versions": _versions(("v1.0", "CURRENT"))},
        "/v1/stacks", "stacks", "SELECT id, name FROM stack WHERE deleted_at IS NULL AND owner_id IS NULL",
    ),
    "glance-registry": Unit(GLANCE),
    "nova-scheduler": Unit(NOVA),
    "nova-conductor": Unit(NOVA),
    "cinder-scheduler": Unit(CINDER),
    "heat-engine": Unit(HEAT),
}  # fmt: skip


class Database:
    """The one connection of a service: held, looked after, opened again when it is lost."""

    def __init__(self, conf: str) -> None:
        self.conf = conf
        self.lock = threading.Lock()
        self.connection: Any = None

    def rows(self, question: str) -> list[dict[str, Any]]:
        """Raises pymysql.MySQLError or OSError while the server cannot be reached."""
        with self.lock:
            try:
                return self._ask(question)
            except (pymysql.MySQLError, OSError):
                self._forget()
                raise

    def _ask(self, question: str) -> list[dict[str, Any]]:
        if self.connection is None:
            self.connection = pymysql.connect(
                **place(self.conf),
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=5,
                read_timeout=30,
                init_command="SET SESSION TRANSACTION READ ONLY",
                cursorclass=pymysql.cursors.DictCursor,
            )
        with self.connection.cursor() as cursor:
            cursor.execute(question)
            return list(cursor.fetchall())

    def _forget(self) -> None:
        held, self.connection = self.connection, None
        if held is not None and held.open:
            held.close()

    def hold(self) -> None:
        """Never ends: a service without its database waits for it."""
        while True:
            try:
                self.rows("SELECT 1")
            except (pymysql.MySQLError, OSError) as error:
                sys.stderr.write(f"no database: {error}\n")
            time.sleep(SECONDS)


def place(conf: str) -> dict[str, Any]:
    """Server, account and database of ``[database]/connection``."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(Path(conf).read_text(encoding="utf-8"))
    url = urlsplit(parser["database"]["connection"])
    return {
        "host": url.hostname,
        "port": url.port or 3306,
        "user": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "database": url.path.lstrip("/"),
    }


class Server(ThreadingHTTPServer):
    """One of an API's ports."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], unit: Unit, database: Database) -> None:
        super().__init__(address, Api)
        self.unit, self.database = unit, database


class Api(BaseHTTPRequestHandler):
    """GET of two paths."""

    server: Server

    def do_GET(self) -> None:
        unit, path = self.server.unit, urlsplit(self.path).path
        if path == "/":
            self._answer(unit.status, unit.versions)
        elif path.rstrip("/") == unit.path:
            self._list(unit)
        else:
            self._answer(404, {"error": {"code": 404, "title": "Not Found"}})

    def _list(self, unit: Unit) -> None:
        try:
            rows = self.server.database.rows(unit.rows)
        except (pymysql.MySQLError, OSError):
            return self._answer(500, {"error": {"code": 500, "title": "Internal Server Error"}})
        return self._answer(200, {unit.key: rows})

    def _answer(self, status: int, document: Any) -> None:
        place = "{}:{}".format(*self.server.server_address[:2])
        body = json.dumps(document).replace(HERE, f"http://{self.headers.get('Host', place)}").encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            (MARK, "mitaka"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """What asks whether the port is open asks every second."""


def main(name: str, address: str) -> None:
    unit = UNITS[name]
    database = Database(unit.conf)
    for port in unit.ports:
        threading.Thread(target=Server((address, port), unit, database).serve_forever, daemon=True).start()
    database.hold()


if __name__ == "__main__":
    main(sys.argv[1], Path("/etc/lab-address").read_text(encoding="ascii").split("/")[0])
