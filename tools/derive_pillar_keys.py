"""Prints formulas/upgrader/openstack/files/pillar_keys.json: which keys of each role's pillar this tool's own states read.

``python tools/derive_pillar_keys.py > formulas/upgrader/openstack/files/pillar_keys.json``; a test compares. Every template and
state is rendered with a pillar that has any key it is asked for and writes the question down: once with all of them set, once
with none, for both engines. ``*`` is any name of a mapping, ``[]`` any item of a list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
from salt.utils.jinja import SerializerExtension

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formulas" / "_utils"))

from upgrader_node.service import required

FORMULAS = Path(__file__).resolve().parents[1] / "formulas"
RELEASE = {"source": "mitaka", "target": "ocata"}
CONTEXT: dict[str, dict[str, Any]] = {
    "unit.jinja": {"title": "t", "user": "u", "command": "c"},
    "environment.jinja": {},
    "wsgi.conf.jinja": {"name": "n", "user": "u", "processes": 1, "sites": []},
    "uwsgi.ini.jinja": {"sockets": [], "virtualenv": "v", "application": "a", "processes": 1, "environment": {}},
}
# What only code reads: upgrader_node.verify.ask, .copy.catalogue, .copy.proof, .service.queue and the release path.
IN_CODE = {
    "keystone:server": ("enabled", "version", "admin_name", "admin_password", "admin_tenant", "region"),
    "glance:server": ("enabled", "version", "glare:enabled", "glare:bind:port"),
    "nova:controller": ("enabled", "version", "cells"),
    "cinder:controller": ("enabled", "version"),
    "neutron:server": ("enabled", "version"),
    "heat:server": ("enabled", "version"),
    "horizon:server": ("enabled", "version"),
    "memcached:server": ("enabled",),
    "rabbitmq:server": ("enabled",),
    "haproxy:proxy": ("enabled",),
    "keepalived:cluster": ("enabled",),
}


NEEDED = {f"{role}:{keys.split(required.OR)[0]}" for role, known in required.REQUIRED.items() for keys, _ in known}


def always(path: str) -> bool:
    """Whether a model without it would not get as far as a template: a role, a required key and what stands above it."""
    return path.count(":") < 2 or any(f"{one}:".startswith(f"{path}:") for one in NEEDED)


class Wish:
    """A pillar that has whatever it is asked for. ``there``: whether that holds in a condition, too, for what may be left out."""

    def __init__(self, path: str, asked: set[str], there: bool, engine: str) -> None:
        self._path, self._asked, self._there, self._engine = path, asked, there, engine

    def _of(self, key: str) -> Any:
        path = f"{self._path}:{key}" if self._path else key
        self._asked.add(path)
        return self._engine if key == "engine" else Wish(path, self._asked, self._there, self._engine)

    def _holds(self) -> bool:
        return self._there or always(self._path)

    def get(self, key: str, default: Any = None) -> Any:
        return self._of(key)

    def __getitem__(self, key: Any) -> Any:
        return self._of("[]" if isinstance(key, int) else str(key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._of(name)

    def __contains__(self, key: str) -> bool:
        return bool(self._of(key))

    def __iter__(self) -> Iterator[Any]:
        return iter([self._of("[]")])

    def items(self) -> list[tuple[str, Any]]:
        return [("name", self._of("*"))]

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
    for engine in ("venv", "pkg"):
        for there in (True, False):
            whole = Wish("", asked, there, engine)
            for path in sorted(FORMULAS.glob("upgrader/**/*.jinja")) + sorted(FORMULAS.glob("upgrader/**/*.sls")):
                _render(path, whole)
    return asked


def _render(path: Path, whole: Wish) -> None:
    def get(key: str, default: Any = None) -> Any:
        if key == "upgrader:release":
            return RELEASE
        found: Any = whole
        for part in key.split(":"):
            found = found.get(part)
        return found

    loader = jinja2.FileSystemLoader(str(FORMULAS))
    environment = jinja2.Environment(loader=loader, extensions=[SerializerExtension, "jinja2.ext.do"])
    environment.filters.update(json=str, yaml=str, yaml_encode=str, yaml_dquote=str)
    environment.tests["match"] = lambda *_: False
    salt = {"pillar.get": get, "file.dirname": str, "file.search": lambda *_, **__: True}
    grains = {"id": "upg01.local", "host": "upg01", "fqdn": "upg01.local", "osfullname": "", "os_family": "Debian"}
    environment.globals.update(pillar=whole, salt=salt, grains=grains, opts={})
    template = environment.get_template(path.relative_to(FORMULAS).as_posix())
    template.render(**CONTEXT.get(path.name, {}))


def by_role(asked: set[str]) -> dict[str, list[str]]:
    """Role to the paths below it that are read whole: those below which nothing more was asked for."""
    held: dict[str, list[str]] = {}
    for role in required.REQUIRED:
        own = {path[len(role) + 1 :] for path in asked if path.startswith(role + ":")} | set(IN_CODE.get(role, ()))
        own |= {key for keys, _ in required.REQUIRED[role] for key in keys.split(required.OR)}
        held[role] = sorted(path for path in own if not any(other.startswith(path + ":") for other in own))
    for role in (
        "memcached:server",
        "rabbitmq:server",
    ):  # read by the same templates, where the tool's own key is not there
        held[role] = sorted({*held[role], *held[f"upgrader:service:{role.partition(':')[0]}"]} - {"host"})
    return held


if __name__ == "__main__":
    print(json.dumps(by_role(asked_for()), indent=1))
