"""Every class that is shipped renders through real reclass with what docs/model.md says it needs, and holds MCP's values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.model import refusal
from upgrader_node.service import required

from upgrader.cloud.roles import nodes_by_role
from upgrader.content import RECLASS_CLASSES
from upgrader.reclass.inventory import Inventory, Rendered
from upgrader.reclass.place import Place
from upgrader.reclass.remarks import shipped
from upgrader.reclass.unread import PILLAR_KEYS

ROOT = Path(__file__).parents[3]
SERVERS = "check inter 10s fastinter 2s downinter 3s rise 3 fall 3"
UPGRADE, PRODUCTION = "upg01", "upg02"

MODEL = """
parameters:
  keystone:
    client: {server: {identity: {service: {keystone: {type: identity, endpoints: [{public_path: /v2.0}]}}}}}
  cinder: {controller: {backend: {lvm: {engine: lvm}}}}
  rabbitmq: {server: {host: {/monitoring: {user: monitor}}}}
  upgrader: {service: {rabbitmq: {host: {/monitoring: {user: monitor}}}}}
  nova:
    controller:
      cache: {members: [{host: production, port: 11211}]}
      message_queue: {host: production, members: [{host: production, port: 5672}]}
"""


@cache
def documented() -> dict[str, str]:
    """Class to the last column of its row."""
    text = (ROOT / "docs" / "model.md").read_text().split("## Classes", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([a-z][\w.-]+) \| [^|]* \| ([^|]*) \|$", text, re.MULTILINE)
    return {name: needs for name, needs in rows if name != "class"}


@cache
def parameters(name: str) -> dict[str, str]:
    """What a class and those that it includes refer to, by the table's row; every value is its name."""
    words = set(re.findall(r"\b[a-z]+\w*_\w+\b", documented()[name]))
    parts = {
        "openstack.upgrade.single": upgrade_classes(),
        "mysql.client.database_upgrade": [n for n in documented() if n.startswith("mysql.client.database_upgrade.")],
    }.get(name, ["mysql.client.database_upgrade.admin"] if "includes admin" in documented()[name] else [])
    return {word: word for word in words} | {key: value for part in parts for key, value in parameters(part).items()}


def upgrade_classes() -> list[str]:
    return [
        n
        for n in documented()
        if re.fullmatch(r"\w+\.(server|control)\.upgrade", n) and n != "xtrabackup.server.upgrade"
    ]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Rendered]:
    """A node for every class, and one whose switch selects production."""
    root = tmp_path_factory.mktemp("classes")
    (root / "nodes").mkdir()
    (root / "classes").mkdir()
    (root / "classes" / "ocata").symlink_to(RECLASS_CLASSES)

    def node(name: str, values: Mapping[str, str]) -> str:
        listed = "".join(f"    {key}: '{value}'\n" for key, value in values.items())
        return f"classes: [ocata.{name}]\nparameters:\n  _param:\n    nothing: ''\n{listed}"

    texts = {root / "nodes" / f"{name}.yml": node(name, parameters(name)) for name in documented()}
    whole = parameters("openstack.upgrade.single")
    production = {name.replace("_upgrade_", "_") if name.startswith("mysql_") else name: "p" for name in whole}
    production |= {f"keystone_{service}_password": "p" for service in SERVICES} | {"keystone_upgrade_password": "u"}
    texts[root / "nodes" / f"{PRODUCTION}.yml"] = node(
        "openstack.upgrade.single", {**production, "openstack_database_suffix": ""}
    )
    texts |= {
        root / "nodes" / f"over-{name}.yml": node(name, parameters(name)).replace("[", "[model, ")
        for name in ("keystone.client.service.keystone3", "openstack.upgrade.single")
    }
    texts[root / "classes" / "model.yml"] = MODEL
    inventory = Inventory(Place(root / "nodes", root / "classes"), texts)
    return {name: inventory.render(name) for name in inventory.nodes}


def test_the_table_lists_every_class() -> None:
    assert set(documented()) == set(shipped())


@pytest.mark.parametrize("name", sorted(shipped()))
def test_class_renders_with_the_parameters_it_documents(name: str, rendered: Mapping[str, Rendered]) -> None:
    found = rendered[name]
    assert found.sound, (found.unresolved, found.problems)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_no_parameter_is_documented_that_the_class_does_not_use(name: str, rendered: Mapping[str, Rendered]) -> None:
    texts = "".join(
        path.read_text() for other, path in shipped().items() if f"ocata.{other}" in rendered[name].classes
    ).replace("${_param:openstack_database_suffix}", "_upgrade")
    used = set(re.findall(r"\$\{_param:(\w+)\}", texts))
    given = set(
        re.findall(
            r"^    (\w+): ", "".join(re.findall(r"^  _param:\n((?:    .*\n)+)", texts, re.MULTILINE)), re.MULTILINE
        )
    )
    assert used - given - {"openstack_database_suffix"} == set(parameters(name))


@pytest.mark.parametrize("path", sorted(shipped().values()), ids=str)
def test_class_is_values_only_and_says_for_whom(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# For ")
    assert "{%" not in text and "{{" not in text
    for line in text.splitlines():
        if re.search(r"(password|secret_key|private_key|encryption_key):", line):
            assert re.search(r"\$\{_param:.*\}$", line), line


def value(rendered: Mapping[str, Rendered], name: str, *path: str | int) -> Any:
    found: Any = rendered[name].pillar
    for part in path:
        found = found[part]
    return found


@pytest.mark.parametrize("role", required.UPGRADE_NODE)
def test_upgrade_node_has_every_key_that_its_roles_need(role: str, rendered: Mapping[str, Rendered]) -> None:
    assert required.missing(rendered["openstack.upgrade.single"].pillar, role) == []


@pytest.mark.parametrize("role", required.UPGRADE_NODE)
def test_upgrade_node_sets_nothing_that_the_states_would_refuse_or_hold_back(
    role: str, rendered: Mapping[str, Rendered]
) -> None:
    known = json.loads(PILLAR_KEYS.read_text())
    said = refusal.judge(rendered["openstack.upgrade.single"].pillar, role, known, lambda service: {})
    assert said == f"pillar has all keys that {role} needs, and all that it sets are read"


SERVICES = {
    "keystone": "server",
    "glance": "server",
    "nova": "controller",
    "cinder": "controller",
    "neutron": "server",
    "heat": "server",
}


@pytest.mark.parametrize(("service", "role"), SERVICES.items())
def test_one_switch_selects_upgrade_or_production_databases(
    service: str, role: str, rendered: Mapping[str, Rendered]
) -> None:
    clone = value(rendered, "openstack.upgrade.single", service, role, "database")
    production = value(rendered, PRODUCTION, service, role, "database")
    assert (clone["name"], clone["user"]) == (f"{service}_upgrade", f"{service}_upgrade")
    assert (clone["host"], clone["password"]) == ("mysql_upgrade_host", f"mysql_{service}_upgrade_password")
    assert (production["name"], production["user"]) == (service, service)
    if service != "keystone":
        accounts = [
            value(rendered, node, service, role, "identity") for node in ("openstack.upgrade.single", PRODUCTION)
        ]
        assert [(account["user"], account["password"]) for account in accounts] == [
            ("upgrader", "keystone_upgrade_password"),
            (service, "p"),
        ]


@pytest.mark.parametrize("service", SERVICES)
def test_account_of_a_service_is_granted_on_its_clones_only(service: str, rendered: Mapping[str, Rendered]) -> None:
    held = value(rendered, f"mysql.client.database_upgrade.{service}", *["upgrader", "databases", "clones"])
    expected = {"nova": ["nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0"]}
    assert sorted(held) == expected.get(service, [f"{service}_upgrade"])
    for clone in held.values():
        assert [(user["name"], user["password"]) for user in clone["users"]] == [
            (f"{service}_upgrade", f"mysql_{service}_upgrade_password")
        ]


@pytest.mark.parametrize(
    ("name", "listen", "port", "expected"),
    [
        ("glare", "glare", 9494, {"type": "general-service", "service_name": "glare"}),
        (
            "nova-placement",
            "nova_placement_api",
            8778,
            {
                "mode": "http",
                "options": ["httpclose", "httplog"],
                "health-check": {"http": {"enabled": True, "options": ["expect status 401"]}},
            },
        ),
    ],
)
def test_listener_is_mcps(
    name: str, listen: str, port: int, expected: Mapping[str, Any], rendered: Mapping[str, Rendered]
) -> None:
    found = value(rendered, f"haproxy.proxy.listen.openstack.{name}", "haproxy", "proxy", "listen", listen)
    assert found["binds"] == [{"address": "cluster_vip_address", "port": port}]
    assert [(server["port"], server["params"]) for server in found["servers"]] == [(port, SERVERS)] * 3
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "service", "type_", "ports", "path", "user"),
    [
        ("nova-placement", "placement", "placement", (8778, 8778, 8778), "", None),
        ("glare", "glare", "artifact", (9494, 9494, 9494), "", "glance"),
        ("cinder3", "cinderv3", "volumev3", (8776, 8776, 8776), "/v3/$(project_id)s", "cinder"),
        ("keystone3", "keystone", "identity", (5000, 5000, 35357), "/v3", None),
    ],
)
def test_endpoint_is_mcps(
    name: str,
    service: str,
    type_: str,
    ports: tuple[int, int, int],
    path: str,
    user: str | None,
    rendered: Mapping[str, Rendered],
) -> None:
    identity = value(rendered, f"keystone.client.service.{name}", "keystone", "client", "server", "identity")
    found = identity["service"][service]
    [endpoint] = found["endpoints"]
    assert found["type"] == type_
    assert tuple(endpoint[f"{kind}_port"] for kind in ("public", "internal", "admin")) == ports
    assert {endpoint[f"{kind}_path"] for kind in ("public", "internal", "admin")} == {path}
    accounts = identity.get("project", {}).get("service", {}).get("user", {})
    assert list(accounts) == ([user] if user else [])


def test_identity_is_v3_only_in_a_model_that_has_v2(rendered: Mapping[str, Rendered]) -> None:
    """reclass would append to a list: two endpoints of one service, and clients choose."""
    path = ["keystone", "client", "server", "identity", "service", "keystone", "endpoints"]
    [endpoint] = value(rendered, "over-keystone.client.service.keystone3", *path)
    assert endpoint["public_path"] == "/v3"


def test_nothing_of_production_is_merged_into_the_upgrade_node(rendered: Mapping[str, Rendered]) -> None:
    over = "over-openstack.upgrade.single"
    assert value(rendered, over, "cinder", "controller", "backend") == {}
    assert list(value(rendered, over, "upgrader", "service", "rabbitmq", "host")) == ["/openstack"]


def test_upgrade_node_keeps_its_own_queue_and_cache_over_productions(rendered: Mapping[str, Rendered]) -> None:
    controller = value(rendered, "over-openstack.upgrade.single", "nova", "controller")
    assert controller["message_queue"]["host"] == "upgrader_upgrade_node"
    assert controller["message_queue"]["members"] == [{"host": "upgrader_upgrade_node", "port": 5672}]
    assert controller["cache"]["members"] == [{"host": "single_address", "port": 11211}]


def test_upgrade_vm_is_as_large_as_mcps_and_on_the_new_image(rendered: Mapping[str, Rendered]) -> None:
    control = value(rendered, "salt.control.cluster.openstack_upgrade_single", "salt", "control")
    size = control["size"]["openstack.upgrade"]
    vm = control["cluster"]["internal"]["node"]["upg01"]
    assert (size["cpu"], size["ram"], size["disk_profile"]) == (32, 65536, "medium")
    assert (vm["size"], vm["image"]) == ("openstack.upgrade", "salt_control_xenial_image")
    assert vm["provider"] == "infra_kvm_node02_hostname.cluster_domain"


@pytest.mark.parametrize(("kind", "vms"), [("control", ["ctl01", "ctl02", "ctl03"]), ("proxy", ["prx01", "prx02"])])
def test_new_image_changes_nothing_else_of_a_vm(kind: str, vms: list[str], rendered: Mapping[str, Rendered]) -> None:
    path = ["salt", "control", "cluster", "internal", "node"]
    nodes = value(rendered, f"salt.control.cluster.openstack_{kind}_xenial", *path)
    assert nodes == {vm: {"image": "salt_control_xenial_image"} for vm in vms}


@pytest.mark.parametrize("number", [1, 5])
def test_database_nodes_can_be_a_list_of_any_length(tmp_path: Path, number: int) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "ocata").symlink_to(RECLASS_CLASSES)
    nodes = [f"dbs0{one}.lab.local" for one in range(1, number + 1)]
    values = {**parameters("upgrader.cloud_listed"), "upgrader_database_nodes": nodes}
    text = json.dumps({"classes": ["ocata.upgrader.cloud_listed"], "parameters": {"_param": values}})
    inventory = Inventory(Place(tmp_path / "nodes", tmp_path / "classes"), {tmp_path / "nodes" / "cfg01.yml": text})
    found = inventory.render("cfg01")
    assert found.sound and found.pillar is not None
    assert nodes_by_role(found.pillar["upgrader"]["nodes"], "cfg01")["dbs"] == tuple(nodes)
