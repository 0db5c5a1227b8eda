"""The config report on a node with Mitaka's files, and the services' own oslo.config as the second opinion on its verdicts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import REPOSITORY, VENV, Bench

MITAKA = REPOSITORY / "tests" / "data" / "mitaka_conf"
OPTIONS = REPOSITORY / "formulas" / "upgrader" / "openstack" / "files" / "options"
DERIVE = REPOSITORY / "tools" / "derive_options.py"
VENVS = {"keystone": "pike", "glance": "pike", "nova": "ocata", "cinder": "ocata", "neutron": "ocata", "heat": "rocky"}
ROLES = {"nova": "controller", "cinder": "controller"}
MAIN = {"glance": "glance-api.conf"}

# How each service reads its own files, and what it then holds at each (group, option): the value, or that there is none.
LOADERS = {
    "nova": "from nova import config; config.parse_args(['nova', '--config-file', path]); from nova.conf import CONF",
    "cinder": "from cinder import opts; from cinder.common import config; from oslo_config.cfg import CONF;"
              " CONF(['--config-file', path], project='cinder'); from oslo_middleware import sizelimit;"
              " CONF.register_opts(sizelimit._opts, group='oslo_middleware')",
    "keystone": "import keystone.conf; keystone.conf.configure(); CONF = keystone.conf.CONF;"
                " CONF(['--config-file', path], project='keystone');"
                " import oslo_messaging; oslo_messaging.Notifier(oslo_messaging.get_notification_transport(CONF))",
    "neutron": "from neutron.common import config; import neutron.db.agents_db;"
               " config.init(['--config-file', path]); from oslo_config.cfg import CONF",
}  # fmt: skip
ASK = """\
import json, sys, types
sys.modules.setdefault('mock', types.ModuleType('mock'))
path = sys.argv[1]
{loader}
from oslo_config import cfg
found = []
for group, option in json.loads(sys.argv[2]):
    try:
        found.append(str((CONF if group == 'DEFAULT' else CONF[group])[option]))
    except (cfg.NoSuchOptError, KeyError):
        found.append(None)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("etc")
    for service in VENVS:
        shutil.copytree(MITAKA, root / service)
    return root


@pytest.fixture
def node(bench: Bench, folder: Path) -> Iterator[Bench]:
    """A minion whose pillar says that the six services' files are here."""
    roles = bench._roles
    bench._roles = {
        service: {
            ROLES.get(service, "server"): {"config_file": str(folder / service / MAIN.get(service, f"{service}.conf"))}
        }
        for service in VENVS
    }
    nova = bench._roles.pop("nova")["controller"]
    bench._write_pillar({**bench.controller(), **nova})
    yield bench
    bench._roles = roles


def verdicts(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(row["service"], f"[{row['group']}]/{row['option']}"): row["kind"] for row in report["options"]}


def held(service: str, path: Path, asked: list[tuple[str, str]]) -> list[str | None]:
    """What the service itself holds after reading the file."""
    python = VENV.with_name(VENVS[service]) / "bin" / "python"
    script = ASK.format(loader=LOADERS[service].replace("; ", "\n"))
    argv = [str(python), "-W", "ignore", "-c", script, str(path), json.dumps(asked)]
    ran = subprocess.run(argv, capture_output=True, text=True, cwd="/tmp", check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return list(json.loads(ran.stdout.strip().splitlines()[-1]))


def test_six_services_are_judged_without_a_value(node: Bench) -> None:
    report = node.call("upgrader_options.report")
    assert set(report["releases"]) == set(VENVS)
    assert "S3CRET" not in json.dumps(report) and "10.0.0.1" not in json.dumps(report)
    found = verdicts(report)
    assert found[("nova", "[DEFAULT]/scheduler_default_filters")] == "renamed"
    assert found[("nova", "[placement]/os_region_name")] == "needed"
    assert found[("neutron", "[DEFAULT]/min_l3_agents_per_router")] == "removed"
    assert found[("cinder", "[DEFAULT]/enable_v1_api")] == "default-changed"
    assert found[("keystone", "[token]/provider")] == "removed"
    assert found[("heat", "[DEFAULT]/deferred_auth_method")] == "deprecated"
    assert {finding["severity"] for finding in report["findings"]} == {"warning"}


def test_asked_service_without_a_file_is_refused(node: Bench, folder: Path) -> None:
    node._roles["heat"]["server"]["config_file"] = str(folder / "none.conf")
    node._write_pillar(node._controller)
    assert "heat" not in node.call("upgrader_options.report")["releases"]
    with pytest.raises(CommandExecutionError, match=r"no configuration of heat: .*none\.conf"):
        node.call("upgrader_options.report", services=["heat"])
    with pytest.raises(CommandExecutionError, match="no options are known of swift"):
        node.call("upgrader_options.report", services=["swift"])


@pytest.mark.parametrize(
    "service", [name if name == "nova" else pytest.param(name, marks=pytest.mark.soak) for name in LOADERS]
)
def test_service_itself_agrees(node: Bench, folder: Path, service: str) -> None:
    """What is called renamed arrives under the new name; what is called removed arrives nowhere; the rest is there."""
    path = folder / service / f"{service}.conf"
    values = _values(path)
    rows = [
        row for row in node.call("upgrader_options.report", services=[service])["options"] if row["file"] == str(path)
    ]
    judged = {(row["group"], row["option"]): row for row in rows}
    renamed = {at: _new(row["remedy"]) for at, row in judged.items() if row["kind"] == "renamed"}
    renamed = {at: new for at, new in renamed.items() if new[0] not in ("keystone_authtoken", "nova", "neutron")}
    removed = [at for at, row in judged.items() if row["kind"] == "removed" and at not in VALUE_ONLY]
    fine = [at for at in FINE[service] if at not in judged]
    assert fine == FINE[service] and len(removed) >= 2
    answers = held(service, path, [*renamed.values(), *removed, *fine])
    split = len(renamed), len(renamed) + len(removed)
    assert [_plain(a) for a in answers[: split[0]]] == [_plain(values[at]) for at in renamed]
    assert answers[split[0] : split[1]] == [None] * len(removed)
    assert [_plain(a) for a in answers[split[1] :]] == [_plain(values[at]) for at in fine]


# Removed is the value, not the option.
VALUE_ONLY = {
    ("token", "provider"),
    ("token", "driver"),
    ("DEFAULT", "volume_clear"),
    ("Ceph_RBD", "no_such_rbd_option"),
}
FINE = {
    "nova": [("DEFAULT", "ram_allocation_ratio"), ("DEFAULT", "metadata_workers"), ("libvirt", "virt_type")],
    "cinder": [("DEFAULT", "iscsi_helper"), ("DEFAULT", "default_volume_type")],
    "keystone": [("cache", "backend"), ("token", "expiration"), ("fernet_tokens", "key_repository")],
    "neutron": [("DEFAULT", "bind_host"), ("DEFAULT", "agent_down_time"), ("DEFAULT", "core_plugin")],
}


def _values(path: Path) -> dict[tuple[str, str], str]:
    from upgrader_node.service import oslo_conf

    conf = oslo_conf.parse_conf(path.read_text())
    return {(group, option): value for group, options in conf.items() for option, value in options.items()}


def _new(remedy: str) -> tuple[str, str]:
    group, option = remedy.removeprefix("write [").split("]/", 1)
    return group, option


def _plain(text: str | None) -> str:
    """Lists come back as Python writes them."""
    return "".join(c for c in str(text).lower() if c not in "[]'\" ").replace(",u", ",").removeprefix("u")


@pytest.mark.heavy  # the same whatever the Salt
@pytest.mark.parametrize(
    "service", [name if name == "nova" else pytest.param(name, marks=pytest.mark.soak) for name in VENVS]
)
def test_data_is_what_the_installed_packages_say(service: str) -> None:
    ran = subprocess.run(["python3", str(DERIVE), service], capture_output=True, text=True, check=True)
    assert ran.stdout == (OPTIONS / f"{service}.json").read_text(), "derive the file anew: docs/operating.md"
