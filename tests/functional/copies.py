"""Copies of the five services' generated sources, as a rehearsal has them, driven through Salt's own loader."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.functional.bench import DUMPS, INSTANCES, PASSWORD, QUEUE_PASSWORD, VENV, Bench, watch
from upgrader.cloud.release import release_path
from upgrader.lab.mitaka import populate

PATH = release_path("mitaka", "ocata")
SERVICES = ("keystone", "glance", "cinder", "neutron", "heat")
ROLES = {"cinder": "controller"}
VENVS = {
    "keystone": VENV.with_name("pike"),
    "glance": VENV.with_name("pike"),
    "cinder": VENV,
    "neutron": VENV,
    "heat": VENV.with_name("rocky"),
}
TOOLS = {
    "keystone": "keystone-manage",
    "glance": "glance-manage",
    "cinder": "cinder-manage",
    "neutron": "neutron-db-manage",
    "heat": "heat-manage",
}
QUEUE = {"host": "127.0.0.1", "port": 5672, "user": "openstack", "password": QUEUE_PASSWORD}

# Counts the schema changes of the real tool, and kills it after one of them: the moment that a plain kill hardly meets.
MORTAL = """\
import os, runpy
from pymysql import cursors
plain_mortal = cursors.Cursor.execute
def execute(self, query, args=None):
    found = plain_mortal(self, query, args)
    text = query.decode() if isinstance(query, (bytes, bytearray)) else query
    if text.split()[0].upper() in ('ALTER', 'CREATE', 'DROP', 'RENAME'):
        LEFT[0] -= 1
        if LEFT[0] == 0:
            os.kill(os.getpid(), 9)
    return found
cursors.Cursor.execute = execute
"""


class Copies:
    """Sources under the services' own names, and copies that are upgraded once for all tests or filled anew for one."""

    def __init__(self, bench: Bench, dumps: dict[str, bytes] | None = None) -> None:
        """:param dumps: what the sources hold, made on another server, then nothing is copied; otherwise they are generated here"""
        self.bench = bench
        self.root = Path(tempfile.mkdtemp(prefix="services-"))
        self.root.chmod(0o755)  # pytest's own folders are root's alone, and the tools run as the services' users
        self.answers: dict[str, dict[str, dict[str, Any]]] = {}
        self.seen: set[str] = set()
        self._dumps = self.generate() if dumps is None else dumps
        if dumps is not None:
            for service in SERVICES:
                bench._load(service, dumps[service])
        for host in ("'%'", "localhost"):
            bench.account("services_bench", host, "`%\\_upgrade`.*")
        for service in SERVICES if dumps is None else ():
            self.fill(service, self.copy(service))
        self.usual()

    def generate(self) -> dict[str, bytes]:
        """The usual sources, and what they hold."""
        for service in SERVICES:
            self.bench._load(service, gzip.decompress((DUMPS / f"{service}.sql.gz").read_bytes()))
        populate(self.bench.connection, instances=INSTANCES, services=SERVICES)
        return {service: self.bench._dump(service) for service in SERVICES}

    @property
    def sources(self) -> dict[str, bytes]:
        return self._dumps

    def close(self) -> None:
        for service in SERVICES:
            for database in (service, self.copy(service), self.spare(service)):
                self.bench.query(f"DROP DATABASE IF EXISTS {database}")
        self.bench.forget_account("services_bench")
        shutil.rmtree(self.root)

    def copy(self, service: str) -> str:
        return f"{service}_upgrade"

    def spare(self, service: str) -> str:
        return f"{service}_spare_upgrade"

    def fill(self, service: str, database: str) -> None:
        self.bench._load(database, self._dumps[service])

    def fresh(self, service: str) -> str:
        """A Mitaka copy that nobody else needs, without keys; pillar and configuration name it from now on."""
        database = self.spare(service)
        for kind in ("credential", "fernet"):
            shutil.rmtree(self.keys(database, kind), ignore_errors=True)
        self.fill(service, database)
        self.use(service, database)
        return database

    def usual(self) -> None:
        """Pillar and configuration of every service name its own copy."""
        for service in SERVICES:
            self.use(service, self.copy(service))

    def conf(self, service: str) -> Path:
        return self.root / f"{service}.conf"

    def keys(self, database: str, kind: str) -> Path:
        return self.root / f"{database}-{kind}"

    def use(self, service: str, database: str, **changes: Any) -> None:
        account = {"engine": "mysql", "host": self.bench.host, "port": self.bench.port, "name": database}
        account.update(user="services_bench", password=PASSWORD)
        role = {
            "enabled": True,
            "version": "ocata",
            "engine": "venv",
            "venv": str(VENVS[service]),
            "config_file": str(self.conf(service)),
            "database": account,
            "message_queue": QUEUE,
            **changes,
        }
        self.write_conf(service, database)
        self.bench.set_role(service, {ROLES.get(service, "server"): role})

    def write_conf(self, service: str, database: str, queue: str = "127.0.0.1") -> None:
        place = f"services_bench:{quote(PASSWORD, safe='')}@{self.bench.host}:{self.bench.port}"
        text = (
            f"[DEFAULT]\nuse_stderr = true\nmetadata_source_path = {VENVS['glance']}/etc/glance/metadefs/\n"
            f"transport_url = rabbit://openstack:{quote(QUEUE_PASSWORD, safe='')}@{queue}:5672//openstack\n"
            f"[database]\nconnection = mysql+pymysql://{place}/{database}?charset=utf8\n"
            f"[credential]\nkey_repository = {self.keys(database, 'credential')}\n"
            f"[fernet_tokens]\nkey_repository = {self.keys(database, 'fernet')}/\n"
            f"[oslo_concurrency]\nlock_path = /var/lib/{service}\n"
        )
        conf = self.conf(service)
        if not conf.exists() or conf.read_text() != text:
            conf.write_text(text)
        conf.chmod(0o600)
        shutil.chown(conf, service, service)

    def call(self, function: str, *words: str, **arguments: Any) -> Any:
        return self.bench.call(f"upgrader_schema.{function}", *words, **arguments)

    def phases(self, service: str, until: str = "") -> dict[str, dict[str, Any]]:
        """All phases in order, or those before ``until``; their answers."""
        done: dict[str, dict[str, Any]] = {}
        for phase in PATH.service(service).phases:
            if phase.id == until:
                break
            done[phase.id] = self.call("phase", service, phase.id)
        return done

    def upgraded(self, service: str) -> Copies:
        """The service's own copy, taken to its end once."""
        self.usual()
        if service not in self.answers:
            with self._watched():
                self.answers[service] = self.phases(service)
        return self

    @contextmanager
    def _watched(self) -> Iterator[None]:
        done = threading.Event()
        watcher = threading.Thread(target=watch, args=(self.seen, done))
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def manage(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """The real tool as an operator would type it, without any of our judgement."""
        argv = [str(VENVS[service] / "bin" / TOOLS[service]), "--config-file", str(self.conf(service)), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=180)

    def query(self, statement: str) -> list[Any]:
        return self.bench.query(statement)

    def column(self, statement: str) -> list[Any]:
        return [row[0] for row in self.query(statement)]

    def number(self, statement: str) -> int:
        return self.bench.number(statement)

    def counts(self, database: str, tables: tuple[str, ...]) -> dict[str, int]:
        return {table: self.number(f"SELECT COUNT(*) FROM {database}.`{table}`") for table in tables}

    def proof(self, service: str) -> dict[str, dict[str, dict[str, int]]]:
        """Rows of every table of the source, as a backup's proof gives them."""
        names = self.column(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{service}' AND table_type = 'BASE TABLE'"
        )
        return {service: {name: {"total": count} for name, count in self.counts(service, tuple(names)).items()}}

    def columns(self, database: str, table: str) -> set[str]:
        return set(
            self.column(
                "SELECT column_name FROM information_schema.columns "
                f"WHERE table_schema = '{database}' AND table_name = '{table}'"
            )
        )

    def shape(self, database: str) -> list[Any]:
        """Everything that migrations change about a schema: columns, indexes and foreign keys, without generated names."""
        columns = (
            "SELECT table_name, column_name, column_type, is_nullable, column_default FROM information_schema.columns "
            f"WHERE table_schema = '{database}' ORDER BY 1, 2"
        )
        indexes = (
            "SELECT table_name, GROUP_CONCAT(column_name ORDER BY seq_in_index), MAX(non_unique) FROM information_schema.statistics "
            f"WHERE table_schema = '{database}' GROUP BY table_name, index_name ORDER BY 1, 2, 3"
        )
        keys = (
            "SELECT table_name, column_name, referenced_table_name, referenced_column_name FROM information_schema.key_column_usage "
            f"WHERE table_schema = '{database}' AND referenced_table_name IS NOT NULL ORDER BY 1, 2, 3, 4"
        )
        return [*self.query(columns), *self.query(indexes), *self.query(keys)]

    def mortal_venv(self, service: str, changes: int) -> Path:
        """A venv whose tool is the real one, and dies of SIGKILL right after its n-th schema change."""
        venv, tool = self.root / f"mortal-{service}", VENVS[service] / "bin" / TOOLS[service]
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        script = venv / "bin" / TOOLS[service]
        script.write_text(
            f"#!{VENVS[service]}/bin/python\n{MORTAL}LEFT = [{changes}]\nrunpy.run_path('{tool}', run_name='__main__')\n"
        )
        script.chmod(0o755)
        return venv
