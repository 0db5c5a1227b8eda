"""Prints formulas/upgrader/openstack/files/pillar_keys.json: which keys of each role's pillar this tool's own states read.

What the templates ask for, and the keys that are one option each (upgrader_node.model.one_to_one).

``python tools/derive_pillar_keys.py > formulas/upgrader/openstack/files/pillar_keys.json``; a test compares. Every template and
state is rendered with a pillar that has any key it is asked for and writes the question down: with all of them set, with none,
and some times with every second one, so that each branch of a template is gone through; for both engines, of a copy and of
production. ``*`` is any name of a mapping, ``[]`` any item of a list.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
from salt.utils.jinja import SerializerExtension

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formulas" / "_utils"))

from upgrader_node.model import one_to_one
from upgrader_node.service import required
from upgrader_node.service.roles import ROLE_OF

FORMULAS = Path(__file__).resolve().parents[1] / "formulas"
RELEASE = {"source": "mitaka", "target": "ocata"}
CONTEXT: dict[str, dict[str, Any]] = {
    "unit.jinja": {"title": "t", "user": "u", "command": "c"},
    "environment.jinja": {},
    "wsgi.conf.jinja": {"name": "n", "user": "u", "processes": 1, "sites": []},
    "domain.conf.jinja": {"domain": "d"},
    "policy.json.jinja": {"service": "s"},
    "uwsgi.ini.jinja": {"sockets": [], "virtualenv": "v", "application": "a", "processes": 1, "environment": {}},
}
# What only code reads: upgrader_node.verify.ask, .copy.catalogue, .copy.proof, .service.queue, .model and the release path.
IN_CODE = {
    "keystone:server": (
        "enabled",
        "version",
        "admin_name",
        "admin_password",
        "admin_tenant",
        "region",
        "policy",
        "extra_config",
    ),
    "glance:server": ("enabled", "version", "glare:enabled", "glare:bind", "policy"),
    "nova:controller": ("enabled", "version", "cells", "policy"),
    "cinder:controller": ("enabled", "version", "policy"),
    "neutron:server": ("enabled", "version", "policy"),
    "heat:server": ("enabled", "version", "policy"),
    "horizon:server": ("enabled", "version", "bind:port", "cache:port"),
    "memcached:server": ("enabled",),
    "rabbitmq:server": ("enabled",),
    "upgrader:service:memcached": ("enabled",),
    "upgrader:service:rabbitmq": ("enabled",),
    "haproxy:proxy": ("enabled",),
    "keepalived:cluster": ("enabled",),
}


NEEDED = {f"{role}:{keys.split(required.OR)[0]}" for role, known in required.REQUIRED.items() for keys, _ in known}


def always(path: str) -> bool:
    """Whether a model without it would not get as far as a template: a role, a required key and what stands above it."""
    return path.count(":") < 2 or any(f"{one}:".startswith(f"{path}:") for one in NEEDED)


Toss = Callable[[str], bool]
TOSSES: list[Toss] = [lambda what: True, lambda what: False]
TOSSES += [lambda what, n=number: bool(zlib.crc32(f"{n} {what}".encode()) >> 16 & 1) for number in range(10)]  # type: ignore[misc]


class Wish:
    """A pillar that has whatever it is asked for. ``toss``: whether that holds in a condition, too, for what may be left out."""

    def __init__(self, path: str, asked: set[str], toss: Toss, engine: str) -> None:
        self._path, self._asked, self._toss, self._engine = path, asked, toss, engine

    def _of(self, key: str) -> Any:
        path = f"{self._path}:{key}" if self._path else key
        self._asked.add(path)
        return (
            self._engine if re.fullmatch(r"\w+:\w+:engine", path) else Wish(path, self._asked, self._toss, self._engine)
        )

    def _holds(self) -> bool:
        return always(self._path) or self._toss(self._path)

    def _is(self, what: object) -> bool:
        return self._toss(f"{self._path} {what}")

    def get(self, key: str, default: Any = None) -> Any:
        return self._of(key)

    def __getitem__(self, key: Any) -> Any:
        return self._of("[]" if isinstance(key, int) else str(key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._of(name)

    def __contains__(self, key: str) -> bool:
        return self._is(key)

    def __eq__(self, other: object) -> bool:
        return self._is(other)

    def __hash__(self) -> int:
        return hash(self._path)

    def __iter__(self) -> Iterator[Any]:
        return iter([self._of("[]")])

    def items(self) -> list[tuple[str, Any]]:
        return [("name", self._of("*"))]

    def keys(self) -> list[str]:
        return ["*"]

    def values(self) -> list[Any]:
        return [self._of("*")]

    def __bool__(self) -> bool:
        return self._holds()

    def __len__(self) -> int:
        return 1

    def __int__(self) -> int:
        return 1

    def __str__(self) -> str:
        return "1"


def asked_for() -> set[str]:
    """Every path that a template or a state asks its pillar for."""
    asked: set[str] = set()
    for engine, toss, copy in itertools.product(("venv", "pkg"), TOSSES, (True, False)):
        whole = Wish("", asked, toss, engine)
        for path in sorted(FORMULAS.glob("upgrader/**/*.jinja")) + sorted(FORMULAS.glob("upgrader/**/*.sls")):
            _render(path, whole, copy)
    return asked


class Serializer(SerializerExtension):
    """Salt's own; the release path is read once, which it would be some thousand times."""

    @functools.cached_property
    def _held(self) -> dict[str, Any]:
        return {}

    def load_yaml(self, value: Any) -> Any:
        if value not in self._held:
            self._held[value] = super().load_yaml(value)
        return self._held[value]


@functools.cache
def _environment() -> jinja2.Environment:
    """Templates are compiled once; what they ask is put into its globals before each of them is rendered."""
    loader = jinja2.FileSystemLoader(str(FORMULAS))
    environment = jinja2.Environment(loader=loader, extensions=[Serializer, "jinja2.ext.do"])
    environment.filters.update(json=str, yaml=str, yaml_encode=str, yaml_dquote=str)
    environment.tests["match"] = lambda *_: False
    for kind, real in {"string": str, "mapping": dict}.items():
        environment.tests[kind] = lambda value, kind=kind, real=real: (
            value._is(kind) if isinstance(value, Wish) else isinstance(value, real)
        )
    return environment


def _render(path: Path, whole: Wish, copy: bool) -> None:
    def get(key: str, default: Any = None) -> Any:
        if key == "upgrader:release":
            return RELEASE
        found: Any = whole
        for part in key.split(":"):
            found = found.get(part)
        return found

    model = {
        "role": lambda service: get(ROLE_OF[service]),
        "is_copy": lambda service: copy,
        "foundation": lambda service: f"upgrader:service:{service}" if copy else f"{service}:server",
        "configuration": lambda service, text, ml2=False: text,
        "domain": str,
        "policy": str,
    }
    salt = {"pillar.get": get, "file.dirname": str, "file.search": lambda *_, **__: True}
    salt.update({f"upgrader_model.{name}": function for name, function in model.items()})
    grains = {"id": "upg01.local", "host": "upg01", "fqdn": "upg01.local", "osfullname": "", "os_family": "Debian"}
    environment = _environment()
    environment.globals.update(pillar=whole, salt=salt, grains=grains, opts={})
    environment.get_template(path.relative_to(FORMULAS).as_posix()).render(**CONTEXT.get(path.name, {}))


def one_option(role: str) -> set[str]:
    """Keys of a role that are one option each; of keystone, its domains' too."""
    services = [service for service, own in ROLE_OF.items() if own == role]
    keys = {key for service in services for key in one_to_one.table(service)}
    return keys | ({f"domain:*:{key}" for key in one_to_one.DOMAIN} if services == ["keystone"] else set())


def by_role(asked: set[str]) -> dict[str, list[str]]:
    """Role to the paths below it that are read whole: those below which nothing more was asked for."""
    held: dict[str, list[str]] = {}
    for role in required.REQUIRED:
        own = {path[len(role) + 1 :] for path in asked if path.startswith(role + ":")} | set(IN_CODE.get(role, ()))
        own |= one_option(role)
        own |= {key for keys, _ in required.REQUIRED[role] for key in keys.split(required.OR)}
        own = {
            re.sub(r"(:\[\]|:\*)+$", "", path) for path in own
        }  # of a list or a mapping without further words: all of it
        held[role] = sorted(path for path in own if not any(other.startswith(path + ":") for other in own))
    return held


if __name__ == "__main__":
    print(json.dumps(by_role(asked_for()), indent=1))
