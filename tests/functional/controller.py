"""A whole Ocata controller on the bench: six real services, cache and queue under systemd, over copies of a Mitaka cloud."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import salt.client
import salt.config

from tests.functional.bench import MAIN, REPOSITORY, Bench, watch
from tests.functional.copies import SERVICES, VENVS, Copies
from upgrader.lab.mitaka import stacks

FORMULAS = REPOSITORY / "formulas"
ADDRESS = "10.20.0.20"
PRODUCTION = "10.20.0.9"  # where the generated cloud's catalogue leads
ALL = ("keystone", "glance", "nova", "cinder", "neutron", "heat")
ROLE_KEYS = {"nova": "controller", "cinder": "controller"}
# One secret for each purpose, so that a leak tells where it came from; each with what quoting gets wrong.
SECRETS = {
    "database": "d@t/a%b:#$1",
    "queue": 'm@q"u%\\e:#$2',
    "account": "acc@unt/%41:#$3",
    "stacks": "st@ck/%:#$4",
    "cookie": "c@@kie-of-rabbit",
}
PLACES = {
    "glance": {"bind": {"address": ADDRESS, "port": 9292}, "storage": {"engine": "file"}},
    "nova": {
        "bind": {"address": ADDRESS, "port": 8774},
        "placement": {"bind": {"address": ADDRESS, "port": 8778}},
        "uwsgi": "/opt/pike/bin/uwsgi",
        "glance": {"host": ADDRESS, "port": 9292},
        "network": {
            "engine": "neutron",
            "host": ADDRESS,
            "port": 9696,
            "region": "RegionOne",
            "user": "upgrader",
            "password": SECRETS["account"],
            "tenant": "service",
        },
    },
    "cinder": {"bind": {"address": ADDRESS, "port": 8776}, "glance": {"host": ADDRESS, "port": 9292}},
    "neutron": {
        "bind": {"address": ADDRESS, "port": 9696},
        "plugin": "ml2",
        "compute": {
            "host": ADDRESS,
            "user": "upgrader",
            "password": SECRETS["account"],
            "tenant": "service",
            "region": "RegionOne",
        },
    },
    "heat": {
        "bind": {"api": {"address": ADDRESS, "port": 8004}, "api_cfn": {"address": ADDRESS, "port": 8000}},
        "auth_encryption_key": stacks.ENCRYPTION_KEY,
        "stack_domain_admin": {"name": "heat_domain_admin", "password": SECRETS["stacks"], "domain": "heat"},
        "rpc_response_timeout": 6,
    },
    "keystone": {
        "bind": {
            "public_address": ADDRESS,
            "public_port": 5000,
            "private_address": ADDRESS,
            "private_port": 35357,
        },
        "region": "RegionOne",
        "tokens": {"engine": "fernet", "expiration": 3600, "max_active_keys": 3},
        "admin_name": "upgrader",
        "admin_password": SECRETS["account"],
        "admin_tenant": "service",
    },
}


def database(service: str) -> str:
    """Names of this controller's own: other files' fixtures keep theirs."""
    return f"whole_{service}_upgrade"


def role(service: str, **changes: Any) -> dict[str, Any]:
    """The service's role in pillar as reclass would give it."""
    queue = {"engine": "rabbitmq", "host": ADDRESS, "port": 5672, "user": "openstack", "virtual_host": "/openstack"}
    identity = {"engine": "keystone", "host": ADDRESS, "port": 35357, "tenant": "service", "user": "upgrader"}
    held = {
        "enabled": True,
        "version": "ocata",
        "engine": "venv",
        "venv": str({"nova": VENVS["cinder"], **VENVS}[service]),
        "database": {
            "engine": "mysql",
            "host": ADDRESS,
            "port": 3306,
            "name": database(service),
            "user": "whole_bench",
            "password": SECRETS["database"],
        },
        "message_queue": {**queue, "password": SECRETS["queue"]},
        "cache": {"engine": "memcached", "members": [{"host": ADDRESS, "port": 11211}]},
        "identity": {**identity, "password": SECRETS["account"], "region": "RegionOne", "protocol": "http"},
        **json.loads(json.dumps(PLACES[service])),
    }
    if service == "keystone":
        del held["identity"]
    return {**held, **changes}


def pillar(own: bool = True) -> dict[str, Any]:
    """Everything that the node's formulas read; queue and cache under the tool's ``own`` key, or under the site's."""
    held: dict[str, Any] = {service: {ROLE_KEYS.get(service, "server"): role(service)} for service in ALL}
    cache = {"enabled": True, "bind": {"address": ADDRESS, "port": 11211, "protocol": "tcp"}}
    account = {"enabled": True, "user": "openstack", "password": SECRETS["queue"], "policies": []}
    queue = {
        "enabled": True,
        "bind": {"address": ADDRESS, "port": 5672},
        "secret_key": SECRETS["cookie"],
        "admin": {"name": "admin", "password": SECRETS["cookie"]},
        "host": {"/openstack": account},
    }
    if own:
        return {**held, "upgrader": {"service": {"memcached": cache, "rabbitmq": queue}}}
    return {**held, "memcached": {"server": cache}, "rabbitmq": {"server": queue}}


class Node:
    """A masterless minion of its own over ``formulas/``: pillar by ``use``, calls through Salt's real loader.

    ``roots`` are the folders it takes formulas from; the first that has a file wins.
    """

    def __init__(self, roots: Sequence[Path] = (FORMULAS,)) -> None:
        self.roots = [str(root) for root in roots]
        self.root = Path(tempfile.mkdtemp(prefix="controller-"))
        self.root.chmod(0o755)
        for folder in ("pillar", "cache", "pki"):
            (self.root / folder).mkdir()
        (self.root / "pillar" / "top.sls").write_text("base:\n  '*':\n    - all\n")
        self._caller: Any = None
        self.pillar: dict[str, Any] = {}

    def close(self) -> None:
        shutil.rmtree(self.root)

    def use(self, held: dict[str, Any]) -> None:
        if held != self.pillar:
            self.pillar = json.loads(json.dumps(held))
            file = self.root / "pillar" / "all.sls"
            file.write_text(json.dumps(held))
            file.chmod(0o600)
            self._caller = None

    @contextmanager
    def changed(self, service: str, **changes: Any) -> Iterator[None]:
        """The service's role with other values for the length of the block."""
        before = self.pillar
        held = json.loads(json.dumps(before))
        held[service][ROLE_KEYS.get(service, "server")].update(changes)
        self.use(held)
        try:
            yield
        finally:
            self.use(before)

    def opts(self) -> dict[str, Any]:
        config = self.root / "minion"
        config.write_text(
            json.dumps(
                {
                    "id": "bench01.lab.local",
                    "file_client": "local",
                    "root_dir": str(self.root),
                    "cachedir": str(self.root / "cache"),
                    "pki_dir": str(self.root / "pki"),
                    "file_roots": {"base": self.roots},
                    "pillar_roots": {"base": [str(self.root / "pillar")]},
                    "log_file": str(self.root / "minion.log"),
                    "log_level_logfile": "debug",
                    "state_events": False,
                    "fileserver_backend": ["roots"],
                }
            )
        )
        return dict(salt.config.minion_config(str(config)))

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        if self._caller is None:
            if not (self.root / "cache" / "extmods").exists():
                salt.client.Caller(mopts=self.opts()).cmd("saltutil.sync_all")
            self._caller = salt.client.Caller(mopts=self.opts())
        return self._caller.cmd(function, *args, **kwargs)

    def shown(self, *sls: str) -> dict[str, Any]:
        """The SLS rendered; a failure to render is a list of sentences, and fails here."""
        answer = self.call("state.show_sls", ",".join(sls))
        assert isinstance(answer, dict), (sls, answer)
        return answer

    def apply(self, *sls: str, **arguments: Any) -> dict[str, dict[str, Any]]:
        """States by id."""
        answer = self.call("state.apply", ",".join(sls), **arguments)
        assert isinstance(answer, dict), (sls, answer)
        return {state["__id__"]: state for state in answer.values()}

    def done(self, *sls: str, **arguments: Any) -> dict[str, dict[str, Any]]:
        """``apply`` that must succeed."""
        states = self.apply(*sls, **arguments)
        bad = {name: state["comment"] for name, state in states.items() if state["result"] is not True}
        assert not bad, bad
        return states

    def logged(self) -> str:
        """Everything that this minion left on disk, but for its pillar."""
        return "".join(
            path.read_bytes().decode("utf-8", "replace")
            for path in self.root.rglob("*")
            if path.is_file() and (self.root / "pillar") not in path.parents
        )


class Controller(Node):
    """The services of ``ALL``, upgraded from Mitaka's databases and running."""

    def __init__(self, bench: Bench, copies: Copies) -> None:
        super().__init__()
        self.bench, self.copies = bench, copies
        self.seconds: dict[str, float] = {}
        self.seen: set[str] = set()
        self.ready: dict[str, bytes] = {}
        self.use(pillar())

    def databases(self) -> list[str]:
        return [*(database(service) for service in ALL), database("nova") + "_api", database("nova") + "_cell0"]

    def fill(self) -> None:
        """Every clone as its Mitaka source, granted to one account."""
        for host in ("'%'", "localhost"):
            secret = self.bench.connection.escape(SECRETS["database"])
            self.bench.query(f"CREATE OR REPLACE USER whole_bench@{host} IDENTIFIED BY {secret}")
            self.bench.query(f"GRANT ALL ON `whole\\_%\\_upgrade%`.* TO whole_bench@{host}")
        for service in SERVICES:
            self.fresh(service)
        for name, text in self.bench._dumps["mitaka"].items():
            self.bench._load(name.replace(MAIN, database("nova")), text)

    def fresh(self, service: str) -> None:
        self.bench._load(database(service), self.copies._dumps[service])

    def keep(self, service: str) -> None:
        self.ready[service] = self.bench._dump(database(service))

    def as_kept(self, service: str) -> None:
        self.bench._load(database(service), self.ready[service])

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - started, 1)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Every argv and environment on the node is written down meanwhile."""
        done = threading.Event()
        watcher = threading.Thread(target=watch, args=(self.seen, done))
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def close(self) -> None:
        systemctl("stop", *UNITS)
        for name in self.databases():
            self.bench.query(f"DROP DATABASE IF EXISTS {name}")
        self.bench.query("DROP USER IF EXISTS whole_bench@'%', whole_bench@localhost")
        super().close()


UNITS = (
    "keystone", "glance-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-placement-api", "cinder-api",
    "cinder-scheduler", "neutron-server", "heat-api", "heat-api-cfn", "heat-engine", "memcached", "rabbitmq-server",
)  # fmt: skip


def units(state: str = "active") -> dict[str, str]:
    """Main process of every unit of a controller that is in ``state``."""
    found = {}
    for name in UNITS:
        shown = systemctl("show", "-p", "ActiveState,MainPID", "--value", name).split()
        if state in shown:
            found[name] = next(word for word in shown if word.isdigit())
    return found


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=120).stdout
