"""The upgrade node's pillar is the site's: its service classes, our overrides, and nothing by which production is reached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.host.pillar import value

from tests.support.models import inventory, mcp
from upgrader.reclass import alone
from upgrader.reclass.finding import Survey
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.survey import survey

CONTROL, SYSTEM = "classes/cluster/mcp/openstack/control.yml", "classes/system/nova/control/cluster.yml"
UPG = "upg01.mcp.local"
Change = Callable[[Path], None]


def surveyed(tmp_path: Path, *changes: Change, upgrade: str = "") -> tuple[Survey, Inventory]:
    """The model with every parameter defined, changed, and what prepare says of it."""
    root = mcp(tmp_path, defined=True, only=("cfg01", "ctl01", "dbs01"))
    for change in changes:
        change(root)
    if upgrade:
        (root / "nodes" / f"{UPG}.yml").write_text(upgrade)
    held = inventory(root)
    return survey(held, ("test-upgrade",)), held


def add(path: str, text: str) -> Change:
    def change(root: Path) -> None:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((file.read_text() if file.exists() else "") + text)

    return change


def replace(path: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))

    return change


FILTERS = "      scheduler_default_filters: Special\n"


def made(found: Survey) -> str:
    [text] = [new for path, (_, new) in found.edits.items() if path.name == "upgrade.yml"]
    return text


def prepared(tmp_path: Path, found: Survey, held: Inventory) -> dict[str, Any]:
    """The upgrade node's pillar once prepare has written and state reclass has made the node's file."""
    for path, (_, text) in found.edits.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (held.place.nodes / f"{UPG}.yml").write_text(
        "classes: [cluster.mcp.openstack.upgrade]\nparameters: {_param: {single_address: 10.20.1.19}}\n"
    )
    pillar = Inventory(held.place).render(UPG).pillar
    assert pillar is not None
    return dict(pillar)


def dangers(found: Survey) -> dict[str, str]:
    return {one.name: one.what for one in found.findings if one.kind == "danger"}


def test_what_only_the_sites_class_sets_is_on_the_upgrade_node_and_its_database_is_the_clone(tmp_path: Path) -> None:
    found, held = surveyed(tmp_path, add(SYSTEM, FILTERS))
    assert "- system.nova.control.cluster\n- ocata.openstack.upgrade.single\n" in made(found)
    pillar = prepared(tmp_path, found, held)
    assert value(pillar, "nova:controller:scheduler_default_filters") == "Special"
    assert value(pillar, "nova:controller:database:name") == "nova_upgrade"
    assert value(pillar, "nova:controller:message_queue:host") == UPG
    assert value(pillar, "nova:controller:version") == "ocata"
    assert value(pillar, "haproxy:proxy") is None


def test_a_class_that_brings_more_than_its_service_is_not_taken_and_told(tmp_path: Path) -> None:
    beside = "  keepalived:\n    cluster:\n      instance: {VIP: {address: 10.20.1.254}}\n"
    found, _ = surveyed(tmp_path, add(SYSTEM, FILTERS + beside))
    assert "system.nova.control.cluster" not in made(found)
    assert any(
        "class system.nova.control.cluster sets nova:controller together with keepalived" in one for one in found.notes
    )


def test_of_a_class_that_includes_more_only_what_is_pure_is_taken(tmp_path: Path) -> None:
    """As salt-models do: system.nova includes service.nova and the load balancer's listener."""
    found, _ = surveyed(
        tmp_path,
        add("classes/service/nova/control.yml", "parameters: {nova: {controller: {workers: 8}}}\n"),
        replace(SYSTEM, "parameters:\n", "classes: [service.nova.control, system.haproxy.proxy.single]\nparameters:\n"),
    )
    assert "- service.nova.control\n" in made(found)
    assert "- system.nova.control.cluster\n" not in made(found)


def test_a_class_that_another_one_includes_is_not_named_twice(tmp_path: Path) -> None:
    found, _ = surveyed(
        tmp_path,
        add("classes/system/nova/control/init.yml", "parameters: {nova: {controller: {workers: 8}}}\n"),
        replace(SYSTEM, "parameters:\n", "classes: [..control]\nparameters:\n"),
    )
    assert made(found).count("system.nova") == 1


OWN = """classes: [cluster.mcp.openstack, system.nova.control.cluster, ocata.openstack.upgrade.single]
parameters:
  _param: {single_address: 10.20.1.19}
"""


@pytest.mark.parametrize(
    ("lines", "key", "what"),
    [
        ("      vncproxy_url: http://10.20.1.254:6080/vnc_auto.html\n", "nova:controller:vncproxy_url", "10.20.1.254, a virtual address"),
        ("      metadata: {host: ctl01}\n", "nova:controller:metadata:host", "ctl01, controller ctl01.mcp.local"),
        ("      logging: {host: '10.20.1.11:514'}\n", "nova:controller:logging:host", "10.20.1.11, controller ctl01.mcp.local"),
        ("      notify: {url: 'rabbit://u:p@10.20.1.60:5672/'}\n", "nova:controller:notify:url", "10.20.1.60, the queue of production"),
    ],
)  # fmt: skip
def test_a_value_of_the_upgrade_node_that_leads_to_production_is_a_danger(
    tmp_path: Path, lines: str, key: str, what: str
) -> None:
    virtual = "  keepalived: {cluster: {instance: {VIP: {address: 10.20.1.254}}}}\n"
    found, _ = surveyed(tmp_path, add(SYSTEM, lines), add(CONTROL, virtual), upgrade=OWN)
    assert dangers(found) == {key: f"{key} names {what}"}


def test_the_clones_on_productions_database_server_are_no_danger(tmp_path: Path) -> None:
    found, _ = surveyed(tmp_path, upgrade=OWN)
    assert dangers(found) == {}


def test_what_takes_part_in_production_is_a_danger(tmp_path: Path) -> None:
    found, _ = surveyed(tmp_path, upgrade=OWN + "  keepalived: {cluster: {instance: {VIP: {address: 10.20.1.254}}}}\n")
    assert dangers(found) == {"keepalived:cluster": "keepalived:cluster would claim production's virtual address"}


def test_keys_of_a_controller_that_the_upgrade_node_lacks_are_listed(tmp_path: Path) -> None:
    found, _ = surveyed(tmp_path, add(SYSTEM, FILTERS), upgrade=OWN.replace("system.nova.control.cluster, ", ""))
    assert (
        f"{UPG} differs from the controllers in 1 key that this tool does not set: nova:controller:scheduler_default_filters"
        in found.notes
    )
    same, _ = surveyed(tmp_path / "again", add(SYSTEM, FILTERS), upgrade=OWN)
    assert not [one for one in same.notes if "differs from the controllers" in one]


def test_differences_are_what_no_class_of_ours_sets() -> None:
    controller = {
        "nova": {"controller": {"database": {"name": "nova"}, "workers": 8, "filters": ["a"], "version": "mitaka"}}
    }
    upgrade = {"nova": {"controller": {"database": {"name": "nova_upgrade"}, "workers": 4, "version": "ocata"}}}
    assert sorted(alone.differences(controller, upgrade)) == ["nova:controller:filters", "nova:controller:workers"]
