"""The bench: source and clone databases on a real server, a masterless minion over ``formulas/``, and stages of an upgrade."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import salt.client
import salt.config

from tests.support.processes import Processes
from upgrader.lab.mitaka import populate

REPOSITORY = Path(__file__).resolve().parents[2]
SOCKET = Path(os.environ.get("UPGRADER_TEST_SOCKET", "/run/mysqld/mysqld.sock"))
VENV = Path(os.environ.get("UPGRADER_TEST_VENV", "/opt/ocata"))
DUMPS = Path(os.environ.get("UPGRADER_TEST_DUMPS", "/opt/mitaka"))
PASSWORD = "n@v/a%41:p#w"
QUEUE_PASSWORD = "r@b/b%:#it"
INSTANCES = 60
MAIN, API, CELL0 = "nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0"
READ_ONLY = {f"upgrader_nova.{function}" for function in ("remaining", "cells", "findings", "assert_isolated")} | {
    "upgrader_schema.versions", "upgrader_schema.settled", "upgrader_schema.verify", "upgrader_schema.phases",
    "upgrader_probe.rows", "upgrader_probe.ready", "upgrader_probe.judge", "upgrader_probe.page", "state.show_sls", "sys.doc", "saltutil.sync_all",
}  # fmt: skip
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("api-db-newton", {}),
    ("db-newton", {}),
    ("online-newton", {}),
    ("map-cell0", {}),
    ("create-cell1", {}),
    ("discover-hosts", {}),
    ("map-instances", {"max_count": 25}),
    ("api-db", {}),
    ("db", {}),
    ("online", {}),
    ("services", {}),
)
# nova-manage's own words for what the phases do, as tests of its traps use them.
PHASES = {
    ("api_db_sync", 20): "api-db-newton", ("api_db_sync", 31): "api-db", ("db_sync", 334): "db-newton", ("db_sync", 347): "db",
    ("online_data_migrations", None): "online", ("map_cell0", None): "map-cell0", ("create_cell", None): "create-cell1",
    ("discover_hosts", None): "discover-hosts", ("map_instances", None): "map-instances",
    ("repair_server_groups", None): "repair-server-groups",
}  # fmt: skip


def of_phase(identity: str, **arguments: Any) -> dict[str, Any]:
    """Arguments of ``upgrader_schema.phase`` for one of nova's phases; what belongs to the phase itself goes there."""
    own = {name: arguments.pop(name) for name in ("max_count", "fast") if name in arguments}
    return {"service": "nova", "phase": identity, **arguments, **({"args": own} if own else {})}


class Bench:
    """One server, one minion. ``call`` goes through Salt's real loader."""

    def __init__(self, root: Path, socket: Path = SOCKET, dumps: dict[str, bytes] | None = None) -> None:
        """:param dumps: what the source databases hold, made on another server; otherwise they are generated here"""
        self.root, self.conf, self.socket = root, root / "nova.conf", socket
        self.connection = pymysql.connect(unix_socket=str(socket), user="root", charset="utf8mb4", autocommit=True)
        address, port = self.query("SELECT @@bind_address, @@port")[0]
        self.host = "127.0.0.1" if address in (None, "*", "0.0.0.0", "::") else str(address)
        self.port = int(port)
        self._dumps = {"mitaka": dumps} if dumps else {}
        self._stage = ""  # what the clones hold untouched; "" after anything that may have written
        self.query("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        # What waits for a table although a test did not mean it to fails instead of hanging for the server's own day.
        self.query("SET GLOBAL lock_wait_timeout = 300")
        for directory in ("pillar", "cache", "pki", "minion"):
            (root / directory).mkdir()
        self._caller: Any = None
        self._roles: dict[str, Any] = {}  # pillar of services other than nova
        self._user()
        self.generate_source()
        self.configure()
        self.call("saltutil.sync_all")
        self._caller = None

    def close(self) -> None:
        for schema in ("nova", "nova_api", MAIN, API, CELL0):
            self.query(f"DROP DATABASE IF EXISTS {schema}")
        self.forget_account("nova_bench")
        self.connection.close()
        logging.raiseExceptions = False  # Salt flushes its log at exit, when pytest has closed the stream

    def query(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        if not statement.startswith("SELECT"):
            self._stage = ""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def number(self, statement: str) -> int:
        return int(self.query(statement)[0][0])

    def _user(self) -> None:
        for host in ("'%'", "localhost"):
            for schema in (MAIN, API, CELL0):
                self.account("nova_bench", host, f"{schema}.*")

    def account(self, name: str, host: str, what: str, more: str = "", password: str = PASSWORD) -> None:
        """An account with all rights on ``what``, by a statement that servers of every age understand."""
        self.query(f"GRANT ALL ON {what} TO {name}@{host} IDENTIFIED BY {self.connection.escape(password)} {more}")

    def forget_account(self, name: str) -> None:
        for (host,) in self.query("SELECT host FROM mysql.user WHERE user = %s", (name,)):
            self.query(f"DROP USER {name}@'{host}'")

    def generate_source(self) -> None:
        """The usual source databases and the stage ``mitaka`` made of them."""
        if self._dumps:
            for schema, copy in (("nova", MAIN), ("nova_api", API)):
                self._load(schema, self._dumps["mitaka"][copy])
            return
        for schema in ("nova", "nova_api"):
            self._load(schema, gzip.decompress((DUMPS / f"{schema}.sql.gz").read_bytes()))
        populate(self.connection, instances=INSTANCES, services=("nova",))
        self._dumps["mitaka"] = {MAIN: self._dump("nova"), API: self._dump("nova_api"), CELL0: b""}

    @property
    def sources(self) -> dict[str, bytes]:
        return self._dumps["mitaka"]

    def _load(self, schema: str, text: bytes) -> None:
        self.query(f"DROP DATABASE IF EXISTS {schema}")
        self.query(f"CREATE DATABASE {schema} CHARACTER SET utf8")
        subprocess.run(["mariadb", "--socket", str(self.socket), schema], input=text, check=True)

    def _dump(self, schema: str) -> bytes:
        return subprocess.run(
            ["mariadb-dump", "--socket", str(self.socket), schema], capture_output=True, check=True
        ).stdout

    def keep(self, stage: str) -> None:
        self._dumps[stage] = {schema: self._dump(schema) for schema in (MAIN, API, CELL0)}

    def restore(self, stage: str) -> None:
        if self._stage == stage:
            return
        for schema, text in self._dumps[stage].items():
            self._load(schema, text)
        self._stage = stage

    def controller(self, **changes: Any) -> dict[str, Any]:
        """Pillar nova:controller as the lab gives it; ``database`` and others can be replaced."""
        database = {
            "engine": "mysql",
            "host": self.host,
            "port": self.port,
            "name": MAIN,
            "user": "nova_bench",
            "password": PASSWORD,
        }
        queue = {
            "engine": "rabbitmq",
            "host": "127.0.0.1",
            "port": 5672,
            "user": "openstack",
            "password": QUEUE_PASSWORD,
        }
        queue["virtual_host"] = "/openstack"
        usual = {
            "enabled": True, "version": "ocata", "engine": "venv", "venv": str(VENV), "config_file": str(self.conf), "database": database,
            "message_queue": queue, "bind": {"address": "127.0.0.1", "port": 18774}, "osapi_compute_workers": 1,
            "placement": {"bind": {"address": "127.0.0.1", "port": 18778}}, "glance": {"host": "127.0.0.1"},
            "identity": {"host": "127.0.0.1", "user": "nova", "password": PASSWORD},
            "network": {"host": "127.0.0.1", "user": "neutron", "password": PASSWORD},
            "cache": {"members": [{"host": "127.0.0.1", "port": 11211}]},
        }  # fmt: skip
        return {**usual, **changes}

    def configure(self, **changes: Any) -> None:
        """Write pillar and the nova.conf that fits it."""
        controller = self.controller(**changes)
        (self.root / "pillar" / "top.sls").write_text("base:\n  '*':\n    - nova\n")
        self._write_pillar(controller)
        self.write_conf(controller["database"], controller["message_queue"])

    def _write_pillar(self, controller: dict[str, Any]) -> None:
        self._controller = controller
        text, file = json.dumps({"nova": {"controller": controller}, **self._roles}), self.root / "pillar" / "nova.sls"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            self._caller = None

    def set_role(self, service: str, pillar: dict[str, Any]) -> None:
        """Pillar of another service, beside nova's."""
        self._roles[service] = pillar
        self._write_pillar(self._controller)

    @contextmanager
    def nova_alone(self) -> Iterator[None]:
        """Without the pillar that other tests gave to other services."""
        aside, self._roles = self._roles, {}
        self._write_pillar(self._controller)
        try:
            yield
        finally:
            self._roles = aside
            self._write_pillar(self._controller)

    def configure_pillar_only(self, database: dict[str, Any]) -> None:
        """Pillar with another ``database``, nova.conf left as it is."""
        controller = self.controller(database=database)
        self._write_pillar(controller)

    def write_conf(self, database: dict[str, Any], queue: dict[str, Any], main: str = "", api: str = "") -> None:
        place = f"mysql+pymysql://{database['user']}:{quote(database['password'], safe='')}@{database['host']}:{database['port']}"
        vhost = quote(queue["virtual_host"], safe="")
        self.conf.write_text(
            f"[DEFAULT]\nuse_stderr = true\n"
            f"transport_url = rabbit://{queue['user']}:{quote(queue['password'], safe='')}@{queue['host']}:{queue['port']}/{vhost}\n"
            f"[database]\nconnection = {place}/{main or database['name']}\n"
            f"[api_database]\nconnection = {place}/{api or database['name'] + '_api'}\n"
        )
        self.conf.chmod(0o600)

    def _opts(self) -> dict[str, Any]:
        config = self.root / "minion" / "minion"
        config.write_text(
            json.dumps(
                {
                    "id": "bench.lab.local", "file_client": "local", "root_dir": str(self.root), "cachedir": str(self.root / "cache"),
                    "pki_dir": str(self.root / "pki"), "file_roots": {"base": [str(REPOSITORY / "formulas")]},
                    "pillar_roots": {"base": [str(self.root / "pillar")]}, "log_file": str(self.root / "minion.log"),
                    "log_level_logfile": "debug", "state_events": False, "fileserver_backend": ["roots"],
                }
            )
        )  # fmt: skip
        return dict(salt.config.minion_config(str(config)))

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """One call through the loader, as salt-call --local makes it; failures are Salt's own exceptions."""
        if function not in READ_ONLY:
            self._stage = ""
        if self._caller is None:
            self._caller = salt.client.Caller(mopts=self._opts())
        return self._caller.cmd(function, *args, **kwargs)

    def phase(self, identity: str, **arguments: Any) -> Any:
        """One of nova's phases."""
        return self.call("upgrader_schema.phase", **of_phase(identity, **arguments))

    def nova(self, function: str, version: int | None = None, **arguments: Any) -> Any:
        """A phase by nova-manage's word for it, or something that is asked about nova."""
        if (function, version) in PHASES:
            return self.phase(PHASES[function, version], **arguments)
        module = "upgrader_schema" if function in ("verify", "versions") else "upgrader_nova"
        service = {"service": "nova"} if module == "upgrader_schema" else {}
        return self.call(f"{module}.{function}", **service, **arguments)

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real nova-manage as an operator would type it, without any of our judgement."""
        self._stage = ""
        argv = [str(VENV / "bin" / "nova-manage"), "--config-file", str(self.conf), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=180)

    def versions(self) -> dict[str, Any]:
        """The version of each of nova's databases; None for one that has no schema."""
        databases = self.nova("versions")["databases"]
        return {name: max(marks["migrate"].values(), default=None) for name, marks in databases.items()}


@dataclass
class Stages:
    """What the ten steps answered, and every command line and environment that was seen meanwhile."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def build_stages(bench: Bench) -> Stages:
    bench.configure()
    bench.restore("mitaka")
    stages, done = Stages(), threading.Event()
    watcher = threading.Thread(target=watch, args=(stages.seen, done))
    watcher.start()
    try:
        for number, (phase, arguments) in enumerate(STEPS):
            started = time.monotonic()
            stages.answers.append(bench.phase(phase, **arguments))
            stages.seconds.append(time.monotonic() - started)
            name = {1: "newton", 2: "migrated", 10: "ocata"}.get(number)
            if name:
                bench.keep(name)
    finally:
        done.set()
        watcher.join()
    return stages


def watch(seen: set[str], done: threading.Event) -> None:
    """Everything that /proc shows of other processes, sampled every few milliseconds."""
    processes = Processes()
    while not done.wait(0.01):
        seen.update(text.decode("utf-8", "replace") for _, text in processes.news())
