"""What a site's Salt sees of ours: one folder of states, names that begin with ours, and no pillar key of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrader_node.host import quick_yaml
from upgrader_node.service import required

from tests.support import formulas
from upgrader.content import RECLASS_CLASSES
from upgrader.reclass.remarks import shipped

SERVICES = ("keystone", "glance", "nova", "cinder", "neutron", "heat")
FOUNDATION = ("apache", "haproxy", "horizon", "keepalived", "memcached", "rabbitmq")
RUNNING = "upgrader_serving.running"
PARTS = ("installed", "configured", "running", "stopped", "init", "upgrade", "verify", "backup", "restore")
# Setting one of these switches a formula of the site on: its cron jobs, its packages, its cluster. See docs/model.md.
THEIRS = ("xtrabackup", "backupninja", "mysql:client", "rabbitmq", "memcached", "galera", "keepalived", "linux")


def test_our_states_have_one_folder() -> None:
    folders = {path.name for path in formulas.FORMULAS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name for name in folders if not name.startswith("_")} == {"upgrader"}
    assert not list(formulas.FORMULAS.glob("*.sls"))


@pytest.mark.parametrize("kind", ["_modules", "_states", "_utils", "_runners"])
def test_what_salt_loads_of_ours_begins_with_our_name(kind: str) -> None:
    names = [path.name for path in (formulas.FORMULAS / kind).glob("*") if path.name != "__pycache__"]
    assert [name for name in names if not name.startswith("upgrader_")] == []


def test_loaded_modules_have_the_name_of_their_file() -> None:
    for path in [*formulas.FORMULAS.glob("_modules/*.py"), *formulas.FORMULAS.glob("_states/*.py")]:
        assert set(re.findall(r'__virtualname__ = "(\w+)"', path.read_text())) <= {path.stem}, path


def keys(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Every key of a mapping and of what is below it; reclass's mark for "alone" is no part of a name."""
    for key, value in values.items():
        name = f"{above}:{str(key).lstrip('~')}" if above else str(key).lstrip("~")
        yield name
        if isinstance(value, dict):
            yield from keys(value, name)


@pytest.mark.parametrize("path", sorted(shipped().values()), ids=lambda path: str(path.relative_to(RECLASS_CLASSES)))
def test_no_class_sets_a_key_that_switches_a_formula_of_the_site_on(path: Path) -> None:
    held = quick_yaml.load(yaml, path.read_text()).get("parameters") or {}
    assert not set(keys(held)) & set(THEIRS)


@pytest.mark.parametrize("path", sorted((formulas.FORMULAS / "upgrader").rglob("*.*")), ids=str)
def test_our_states_read_files_of_our_folder_only(path: Path) -> None:
    if path.suffix not in (".sls", ".jinja"):
        return
    for line in path.read_text().splitlines():
        if "salt://" in line:
            assert "salt://upgrader/" in line, line
        if line.startswith("{%- from "):
            assert line.startswith("{%- from 'upgrader/"), line


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_every_state_that_the_others_have(service: str) -> None:
    folder = formulas.FORMULAS / "upgrader" / service
    assert {path.stem for path in folder.glob("*.sls")} == set(PARTS)


@pytest.mark.parametrize("service", FOUNDATION)
def test_what_services_stand_on_has_the_same_states_too(service: str) -> None:
    folder = formulas.FORMULAS / "upgrader" / service
    assert {path.stem for path in folder.glob("*.sls")} == set(PARTS) - {"installed", "configured", "running"}


def pillar(service: str, engine: str) -> dict[str, Any]:
    role = {"nova": "controller", "cinder": "controller"}.get(service, "server")
    return {service: {role: {"engine": engine, "venv": "/opt/x" if engine == "venv" else ""}}}


@pytest.mark.parametrize("engine", ["venv", "pkg"])
@pytest.mark.parametrize("service", SERVICES)
def test_no_unit_starts_before_it_may(service: str, engine: str) -> None:
    states = formulas.states(f"upgrader.{service}.running", pillar(service, engine))
    (running,) = [body for body in states.values() if RUNNING in body]
    assert f"{service}_may_start" in states
    assert {"upgrader_copy": f"{service}_may_start"} in formulas.arguments(running, RUNNING)["require"]


@pytest.mark.parametrize("service", SERVICES)
def test_services_start_at_boot_on_production_and_not_on_a_copy(service: str) -> None:
    for database, production in ((service, True), (f"{service}_upgrade", False)):
        held = pillar(service, "pkg")
        next(iter(held[service].values()))["database"] = {"name": database}
        states = formulas.states(f"upgrader.{service}.running", held)
        assert formulas.arguments(states[f"{service}_running"], RUNNING)["enable"] is production


@pytest.mark.parametrize("engine", ["venv", "pkg"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_unit_is_told_to_leave_names_to_the_systems_resolver(service: str, engine: str) -> None:
    states = formulas.states(f"upgrader.{service}.running", pillar(service, engine))
    units = formulas.arguments(states[f"{service}_running"], RUNNING)["units"]
    written = {}
    for body in states.values():
        if "file.managed" in body:
            given = formulas.arguments(body, "file.managed")
            source = given["source"].replace("salt://", "")
            written[given["name"].split("/")[4].split(".")[0]] = formulas.render(source, **given["context"])
    assert sorted(written) == sorted(units)
    for text in written.values():
        section = text.split("[Service]")[1].split("[Install]")[0]
        assert "\nEnvironment=EVENTLET_NO_GREENDNS=yes\n" in section
    # Debian's apache reads its environment from a file of its own, and older ones clear what systemd gives.
    appended = [body for body in states.values() if "file.append" in body]
    assert bool(appended) == ("apache2" in units)


def test_queue_and_cache_are_described_under_our_own_key_or_else_the_sites() -> None:
    own = {"upgrader": {"service": {"memcached": {"bind": {"address": "10.0.0.9"}}}}}
    site = {"memcached": {"server": {"bind": {"address": "10.0.0.1"}}}}
    for held, role, address in (
        ({**own, **site}, "upgrader:service:memcached", "10.0.0.9"),
        (site, "memcached:server", "10.0.0.1"),
        ({}, "memcached:server", None),
    ):
        model = formulas.states("upgrader.memcached", held)["memcached_model"]
        assert formulas.arguments(model, "upgrader_model.complete")["role"] == role
        if address:
            assert f"-l {address}" in formulas.render("upgrader/memcached/files/memcached.conf.jinja", held)


def test_pins_are_those_of_the_release_path() -> None:
    """Another hop is another file of data, which pillar names."""
    path = quick_yaml.load(yaml, (formulas.FORMULAS / "upgrader/releases/mitaka-ocata.yaml").read_text())
    for service in SERVICES:
        for release in ({}, {"release": {"source": "mitaka", "target": "ocata"}}):
            held = {**pillar(service, "venv"), "upgrader": release}
            installed = formulas.states(f"upgrader.{service}.installed", held)[f"{service}_installed"]
            packages = formulas.arguments(installed, "upgrader_venv.holds")["packages"]
            assert packages == path["services"][service]["packages"] != {}
    held = {**pillar("nova", "venv"), "upgrader": {"release": {"source": "ocata", "target": "queens"}}}
    with pytest.raises(FileNotFoundError, match=r"ocata-queens\.yaml"):
        formulas.states("upgrader.nova.installed", held)


def test_own_key_of_queue_and_cache_stands_before_the_sites() -> None:
    site = {"rabbitmq": {"server": {"bind": {}}}}
    assert required.foundation(site, "rabbitmq") == required.foundation({}, "rabbitmq") == "rabbitmq:server"
    own = {**site, "upgrader": {"service": {"rabbitmq": {"bind": {}}}}}
    assert required.foundation(own, "rabbitmq") == "upgrader:service:rabbitmq"
    assert required.foundation(own, "memcached") == "memcached:server"
    own["upgrader"]["service"]["memcached"] = {"ignored": ["gadget"]}
    assert required.foundation(own, "memcached") == "memcached:server", "a word about the site's key describes no cache"
