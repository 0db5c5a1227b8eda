"""Topology `control`: production's controllers as virtual machines, what stands in for Mitaka, and what new machines are made of."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec
from urllib.parse import quote

import pymysql
import pytest

from upgrader.errors import LabRefused
from upgrader.lab import Lab, answering, startup
from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import Passwords, make_passwords
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.contents.shipped import Model, _fill_model, write_files
from upgrader.lab.control import domain as domains
from upgrader.lab.control import machines, model, stand_in
from upgrader.lab.control.domain import Domain
from upgrader.lab.control.files import API_PORTS, base_files
from upgrader.lab.image.disks import BaseImage, BaseImages
from upgrader.lab.image.layers import ImageCache
from upgrader.lab.image.recipe import chain, lab_recipes, up_to
from upgrader.lab.machine.node import Node
from upgrader.lab.mitaka.shape import Shape
from upgrader.lab.narrator import Narrator
from upgrader.lab.topology import BENCH, CONTROL, MCP, NOVA, Topology, in_profile
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import place_at

PLANS = {plan.name: plan for plan in CONTROL.nodes}


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return make_passwords()


def files_of(topology: Topology, passwords: Passwords) -> dict[str, dict[str, NodeFile]]:
    keys = {plan.name: KeyPair(f"private {plan.name}", f"public {plan.name}") for plan in topology.nodes}
    return {plan.name: node_files(plan, topology, keys, passwords) for plan in topology.nodes}


@pytest.fixture(scope="module")
def files(passwords: Passwords) -> dict[str, dict[str, NodeFile]]:
    return files_of(CONTROL, passwords)


@pytest.fixture
def base(tmp_path: Path) -> BaseImage:
    image = tmp_path / "base.img"
    with image.open("wb") as file:
        file.truncate(2000 * 1024 * 1024)
    return BaseImage(image, "ab" * 32)


def pillar_of(node: str, folder: Path, base: BaseImage, passwords: Passwords) -> Any:
    folder.mkdir()
    _fill_model(folder, passwords, Model(tuple(model.folders(CONTROL)), model.files(CONTROL, base)))
    return Inventory(place_at(folder)).render(node).pillar


def test_controllers_are_virtual_machines_of_the_foundation_node_and_minions_like_all() -> None:
    assert [plan.name for plan in CONTROL.machines] == ["ctl01"]
    assert CONTROL.machines_on(PLANS["kvm01"]) == CONTROL.machines
    assert {plan.name for plan in CONTROL.minions} == set(PLANS) - {"vip01"}
    assert not NOVA.machines and not BENCH.machines
    assert len({plan.address for plan in CONTROL.nodes}) == len(CONTROL.nodes)


def test_machines_disk_fits_into_a_name_of_libvirts() -> None:
    assert all(len(domains.disk_of(plan)) <= 63 for plan in CONTROL.machines)


def test_machines_of_the_foundation_node_are_in_the_labs_network(files: dict[str, dict[str, NodeFile]]) -> None:
    unit = files["kvm01"]["etc/systemd/system/lab-network.service"].text
    assert "link set host0 master br0" in unit
    assert "addr replace 10.20.0.31/24 dev br0" in unit
    assert "dev eth0" in files["ctl01"]["etc/systemd/system/lab-network.service"].text
    assert files["ctl01"]["etc/lab-address"].text == "10.20.0.11/24\n"


def test_every_service_of_mitakas_has_its_unit_and_its_account(
    files: dict[str, dict[str, NodeFile]], passwords: Passwords
) -> None:
    own = files["ctl01"]
    for name, unit in stand_in.UNITS.items():
        assert f"lab-mitaka {name}\n" in own[f"etc/systemd/system/{name}.service"].text
        assert own[f"etc/systemd/system/multi-user.target.wants/{name}.service"].link.startswith("/etc/systemd")
        assert own[unit.conf.lstrip("/")].mode == 0o600
    text = own["etc/nova/nova.conf"].text
    assert f"nova:{quote(passwords.nova, safe='')}@vip01.lab.local:3306/nova\n" in text
    assert "/nova_api\n" in text


def test_queue_has_the_clouds_account_from_the_start(
    files: dict[str, dict[str, NodeFile]], passwords: Passwords
) -> None:
    conf = files["msg01"]["etc/rabbitmq/rabbitmq.config"]
    assert conf.mode == 0o600
    for word in ("/openstack", "openstack", passwords.openstack):
        assert f'<<"{word}">>' in conf.text
    assert "NODE_IP_ADDRESS=10.20.0.41\n" in files["msg01"]["etc/rabbitmq/rabbitmq-env.conf"].text


def test_compute_is_one_of_the_generated_clouds_and_leaves_its_instances_alone(
    files: dict[str, dict[str, NodeFile]], passwords: Passwords
) -> None:
    assert Shape(1, 1).host(1) == "cmp001"
    conf = files["cmp001"]["etc/nova/nova.conf"]
    assert conf.mode == 0o600
    for line in (
        "host = cmp001",
        "compute_driver = fake.FakeDriver",
        "periodic_enable = false",
        f"transport_url = rabbit://openstack:{passwords.openstack}@msg01.lab.local:5672/%2Fopenstack",
    ):
        assert f"{line}\n" in conf.text
    assert "SERVICE_VERSION = MITAKA" in files["cmp001"]["usr/local/sbin/lab-nova-compute"].text


def test_proxy_leads_every_api_to_the_controllers_and_in_other_topologies_none(
    files: dict[str, dict[str, NodeFile]], passwords: Passwords
) -> None:
    text = files["vip01"]["etc/haproxy/haproxy.cfg"].text
    for port in API_PORTS:
        assert f"bind 10.20.0.9:{port}\n" in text
        assert f"10.20.0.11:{port} check inter 1s" in text
    assert "listen api_" not in files_of(NOVA, passwords)["vip01"]["etc/haproxy/haproxy.cfg"].text


def test_other_topologies_nodes_get_what_they_got(passwords: Passwords) -> None:
    unit = files_of(BENCH, passwords)["kvm01"]["etc/systemd/system/lab-network.service"].text
    assert unit.endswith(
        "ExecStart=/sbin/ip addr replace 10.20.0.31/24 dev host0\nExecStart=/sbin/ip link set host0 up\n"
    )
    own = files_of(NOVA, passwords)["ctl01"]
    assert not [path for path in own if "rabbitmq/" in path or "mitaka" in path]


def test_base_image_has_no_identity() -> None:
    held = base_files()
    assert "id" not in json.loads(held["etc/salt/minion"].text)
    assert not [path for path in held if "pki" in path or "hostname" in path or "hosts" in path or "address" in path]
    for name in ("salt-minion", "lab-network", "lab-resolver"):
        assert held[f"etc/systemd/system/multi-user.target.wants/{name}.service"].link


def test_model_of_other_topologies_stays_as_it_is() -> None:
    assert model.folders(NOVA) == [model.MODELS]
    assert model.files(NOVA, None) == {}


def test_master_knows_every_role(tmp_path: Path, base: BaseImage, passwords: Passwords) -> None:
    nodes = pillar_of("cfg01.lab.local", tmp_path / "model", base, passwords)["upgrader"]["nodes"]
    assert nodes["kvm"] == ["kvm01.lab.local"]
    assert nodes["control"] == ["ctl01.lab.local"]
    assert nodes["message_queue"] == ["msg01.lab.local"]
    assert nodes["compute"] == ["cmp001.lab.local"]
    assert nodes["upgrade"] == ["upg01.lab.local"]


def test_foundation_node_knows_how_to_build_the_new_controllers(
    tmp_path: Path, base: BaseImage, passwords: Passwords
) -> None:
    pillar = pillar_of("kvm01.lab.local", tmp_path / "model", base, passwords)
    node = pillar["salt"]["control"]["cluster"]["internal"]["node"]["ctl01"]
    assert node == {
        "name": "ctl01", "provider": "kvm01.lab.local", "image": "ocata", "size": "openstack.control",
    }  # fmt: skip
    ours = pillar["upgrader"]["machines"]
    assert ours["images"]["ocata"] == {"path": "/srv/images/ocata.img", "sha256": base.sha256}
    assert ours["size"] == 2000 + model.ROOM
    texts = ours["nodes"]["ctl01.lab.local"]["files"]
    assert texts["/etc/lab-address"] == "10.20.0.11/24\n"
    assert "10.20.0.10 cfg01.lab.local cfg01\n" in texts["/etc/hosts"]


def test_controllers_pillar_is_an_ocata_controller_of_productions(
    tmp_path: Path, base: BaseImage, passwords: Passwords
) -> None:
    pillar = pillar_of("ctl01.lab.local", tmp_path / "model", base, passwords)
    assert pillar["upgrader"]["production"] is True
    nova = pillar["nova"]["controller"]
    assert (nova["database"]["name"], nova["database"]["host"]) == ("nova", "vip01.lab.local")
    assert nova["database"]["password"] == passwords.nova
    assert nova["identity"]["user"] == "nova" and nova["bind"]["address"] == "10.20.0.11"
    assert nova["upgrade_levels"] == {"compute": "mitaka"}
    assert "rabbitmq" not in pillar["upgrader"]["service"] and "rabbitmq" not in pillar
    named = {key: value for key, value in pillar.items() if key not in ("_param", "upgrader")}
    assert "upg01" not in json.dumps(named), "nothing of production leads to the upgrade node"
    queue = pillar["keystone"]["server"]["message_queue"]
    assert queue["members"] == [{"host": "msg01.lab.local", "port": 5672}]


def domain_in(folder: Path) -> Domain:
    host = Node(PLANS["kvm01"], folder / "kvm01", "lab/kvm01")
    host.create_disk()
    found = Domain(PLANS["ctl01"], folder / "ctl01", host)
    found.create_disk()
    return found


def test_machine_is_defined_on_its_hypervisors_disk_and_starts_with_libvirt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(domains, "make_disk", lambda image, lower: made.append((image, lower)))
    machine = domain_in(tmp_path)
    machine.make_disk("/layers/salt:/layers/debian")
    disk = tmp_path / "kvm01/upper"
    assert made == [(disk / "srv/vm/ctl01.lab.local/system.img", f"{machine.disk}:/layers/salt:/layers/debian")]
    xml = (disk / "etc/libvirt/lxc/ctl01.lab.local.xml").read_text()
    assert '<source file="/srv/vm/ctl01.lab.local/system.img"/>' in xml and '<source bridge="br0"/>' in xml
    assert machine.starts_by_itself
    (disk / "etc/libvirt/lxc/autostart/ctl01.lab.local.xml").unlink()
    assert not machine.starts_by_itself


def test_machine_runs_as_the_child_of_its_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = {100: [100, 1], 150: [150, 77], 160: [160, 78, 1], 170: [170, 90], 180: [180, 91, 1], 190: [190, 92, 5]}
    monkeypatch.setattr(domains, "inner_pids", lambda pid: inner[pid])
    monkeypatch.setattr(domains, "parent", lambda pid: {160: 150, 180: 170}[pid])
    assert domains._child(77, set(inner)) == 160
    assert domains._child(90, set(inner)) == 180
    assert domains._child(91, set(inner)) is None


def test_machine_of_a_hypervisor_that_is_down_does_not_run(tmp_path: Path) -> None:
    assert not domain_in(tmp_path).running


def test_virtual_machines_are_not_started_beside_their_hypervisor(tmp_path: Path) -> None:
    machine = domain_in(tmp_path)
    images = create_autospec(ImageCache, instance=True)
    network = create_autospec(startup.LabNetwork, instance=True)
    assert startup.start_nodes([machine], (), images, network, Narrator(quiet=True)) == []


def test_only_machines_that_start_with_their_hypervisor_are_waited_for(tmp_path: Path) -> None:
    machine = domain_in(tmp_path)
    nodes: dict[str, Node] = {"ctl01": machine, "kvm01": machine.host}
    machines.wait_for_machines(nodes, ["kvm01"], Narrator(quiet=True))
    machines.wait_for_machines(nodes, [], Narrator(quiet=True))


def test_minion_of_a_machine_that_is_off_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        answering, "_wait_for_minions", lambda door, master, plans, told: asked.extend(p.name for p in plans)
    )
    running = {name: create_autospec(Node, instance=True, running=name != "ctl01") for name in PLANS}
    answering.wait_for_salt(CONTROL, running, Narrator(quiet=True))
    assert "ctl01" not in asked and "kvm01" in asked


def test_hypervisor_sees_the_base_image_and_cannot_write_to_it(base: BaseImage, tmp_path: Path) -> None:
    given = {name: startup._options(Node(PLANS[name], tmp_path, "lab/x"), base) for name in ("kvm01", "msg01")}
    assert f"--bind-ro={base.path}:/srv/images/ocata.img" in given["kvm01"]
    assert given["msg01"] == []


def test_base_image_is_named_by_what_it_is_made_of_and_counts_when_its_hash_is_there(tmp_path: Path) -> None:
    images, layers = BaseImages(ImageCache(tmp_path)), up_to(chain(lab_recipes()), "services")
    path = images.path(layers, base_files())
    assert path == images.path(layers, base_files())
    assert path != images.path(layers, {})
    assert path != images.path(layers[:-1], base_files())
    path.parent.mkdir()
    path.touch()
    assert images.held(path) is None
    path.with_suffix(".sha256").write_text("ab\n")
    assert images.held(path) == BaseImage(path, "ab")


def test_pruning_keeps_the_base_image_that_the_next_lab_takes(tmp_path: Path) -> None:
    cache, layers = ImageCache(tmp_path), chain(lab_recipes())
    images = BaseImages(cache)
    kept = images.path(up_to(layers, "services"), base_files())
    images.folder.mkdir(parents=True)
    for path in (kept, kept.with_suffix(".sha256"), images.folder / "services-old.img", images.folder / "lock"):
        path.touch()
    (images.folder / "top-x").mkdir()
    assert machines.prune(layers, cache) == ["services-old.img", "top-x"]
    assert kept.is_file() and kept.with_suffix(".sha256").is_file()


def test_a_site_and_an_operators_model_are_for_topology_nova(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabRefused, match="Topology control is there with profile builtin only; take topology nova"):
        in_profile(CONTROL, MCP)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LabRefused, match="--model: topology control takes the lab's own model only"):
        Lab("test", tmp_path, tmp_path / "cache").up(topology="control", model=tmp_path)


class Rows(stand_in.Database):
    """A database whose one row everybody may see, while it can be reached."""

    down = False

    def rows(self, question: str) -> list[dict[str, Any]]:
        if self.down:
            raise pymysql.err.OperationalError(2003, "refused")
        return [{"id": "1", "name": question.partition(" FROM ")[2].partition(" ")[0]}]


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[tuple[str, Rows]]:
    database = Rows("")
    server = stand_in.Server(("127.0.0.1", 0), stand_in.UNITS[request.param], database)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", database
    server.shutdown()
    server.server_close()


def get(url: str) -> tuple[int, Any, str]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, json.load(answer), answer.headers[stand_in.MARK]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), error.headers[stand_in.MARK]


@pytest.mark.parametrize(
    ("api", "status", "key", "table"),
    [
        ("keystone", 300, "users", "local_user"), ("glance-api", 300, "images", "images"),
        ("nova-api", 200, "servers", "instances"), ("cinder-api", 300, "volumes", "volumes"),
        ("neutron-server", 200, "networks", "networks"), ("heat-api", 300, "stacks", "stack"),
    ],
    indirect=["api"],
)  # fmt: skip
def test_stand_in_answers_as_mitaka_does_and_says_what_it_is(
    api: tuple[str, Rows], status: int, key: str, table: str
) -> None:
    place, database = api
    path = next(unit.path for unit in stand_in.UNITS.values() if unit.key == key)
    found, versions, mark = get(f"{place}/")
    assert (found, mark) == (status, "mitaka") and "versions" in versions
    assert f'"href": "{place}/v' in json.dumps(versions) and "here:" not in json.dumps(versions)
    assert get(f"{place}{path}")[:2] == (200, {key: [{"id": "1", "name": table}]})
    assert get(f"{place}/v9/else")[0] == 404
    database.down = True
    assert get(f"{place}{path}")[0] == 500


def test_stand_in_reads_its_account_from_the_services_own_file(
    tmp_path: Path, files: dict[str, dict[str, NodeFile]], passwords: Passwords
) -> None:
    write_files(tmp_path, files["ctl01"])
    place = stand_in.place(f"{tmp_path}/etc/heat/heat.conf")
    assert place == {
        "host": "vip01.lab.local", "port": 3306, "user": "heat", "password": passwords.heat, "database": "heat",
    }  # fmt: skip


def test_stand_in_opens_its_connection_again_when_it_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "place", lambda conf: {})
    opened = []

    def connect(**asked: Any) -> Any:
        opened.append(asked["init_command"])
        connection = create_autospec(pymysql.connections.Connection, instance=True)
        cursor = connection.cursor.return_value.__enter__.return_value
        cursor.fetchall.side_effect = [[{"n": 1}], pymysql.err.OperationalError(2013, "lost")]
        return connection

    monkeypatch.setattr(pymysql, "connect", connect)
    database = stand_in.Database("")
    assert database.rows("SELECT 1") == [{"n": 1}]
    with pytest.raises(pymysql.MySQLError):
        database.rows("SELECT 1")
    assert database.rows("SELECT 1") == [{"n": 1}]
    assert opened == ["SET SESSION TRANSACTION READ ONLY"] * 2
