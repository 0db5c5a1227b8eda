"""Clouds whose networks are OpenContrail's: neutron is left out of the plan, and everything else stays in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upgrader_node.database import sql
from upgrader_node.preflight import left_out
from upgrader_node.verify import resources

from tests.support.clouds import FACTS, UPG, lab_pillar
from upgrader.cloud.cloud import Cloud, cloud_from_pillar
from upgrader.content import FORMULAS
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Plan
from upgrader.report.text import plan_text
from upgrader.transport.master import MasterTransport

GOLDEN = Path(__file__).parents[2] / "plans/contrail-test-upgrade.txt"
CFG, CTL = "cfg01.lab.local", "ctl01.lab.local"
OF_MITAKA = {"nova": {"controller": {"networking": "contrail"}}}
OF_OCATA = {"neutron": {"server": {"backend": {"engine": "contrail"}, "database": {"name": "neutron"}}}}


def pillars(controller: dict[str, Any], deployment: str = "builtin") -> dict[str, dict[str, Any]]:
    pillar = lab_pillar()
    own = pillar[CFG]["upgrader"]
    own["nodes"] = {**own["nodes"], "control": [CTL]}
    own["deployment"] = deployment
    return {**pillar, CTL: controller}


def cloud(controller: dict[str, Any], deployment: str = "builtin") -> Cloud:
    return cloud_from_pillar(pillars(controller, deployment), CFG)


def plan(controller: dict[str, Any], deployment: str = "builtin") -> Plan:
    held = cloud(controller, deployment)
    made = make_plan(held, "control-plane", "test-upgrade", FACTS)
    check_plan(made, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), held.all_nodes))
    return made


@pytest.mark.parametrize(
    ("controller", "why"),
    [
        (OF_MITAKA, f"nova:controller:networking is contrail on {CTL}"),
        (OF_OCATA, f"neutron:server:backend:engine is contrail on {CTL}"),
        ({"neutron": {"server": {"plugin": "OpenContrail"}}}, f"neutron:server:plugin is OpenContrail on {CTL}"),
    ],
    ids=["mitaka", "ocata", "ours"],
)
def test_neutron_is_left_out_by_whichever_key_the_controllers_say_contrail(
    controller: dict[str, Any], why: str
) -> None:
    held = cloud(controller)
    assert [one.name for one in held.services] == ["keystone", "glance", "nova", "cinder", "heat"]
    assert [(one.service, one.database, one.why) for one in held.left_out] == [("neutron", "neutron", why)]


def test_neutron_is_left_out_where_only_the_upgrade_node_says_contrail() -> None:
    pillar = lab_pillar()
    pillar[UPG]["neutron"]["server"]["backend"]["engine"] = "contrail"
    del pillar[UPG]["neutron"]["server"]["message_queue"]
    held = cloud_from_pillar(pillar, CFG)
    assert [one.database for one in held.left_out] == ["neutron"], "the clone's name without its suffix"


def test_cloud_with_open_vswitch_leaves_out_nothing() -> None:
    assert cloud({"neutron": {"server": {"plugin": "ml2"}}}).left_out == ()


@pytest.mark.parametrize("deployment", ["builtin", "mcp"])
def test_plan_without_neutron_holds_together_and_names_it_in_one_sentence_only(deployment: str) -> None:
    made = plan(OF_MITAKA, deployment)
    naming = [step.id for step in made.steps() if "neutron" in step.title + str(step.call.args)]
    assert naming == ["preflight", "upgrade-node-stopped", "baseline", "verify-cloud"]
    [gate] = [step for step in made.steps() if step.id == "preflight"]
    assert gate.title.endswith(
        "neutron is left out: nova:controller:networking is contrail on ctl01.lab.local, so Contrail keeps the networks, "
        "and none of them is cloned, migrated or verified here"
    )


def test_plan_of_a_contrail_cloud_reads_like_the_golden_file() -> None:
    assert plan_text(plan(OF_MITAKA)) + "\n" == GOLDEN.read_text()


class Tables:
    """Stands for a connection: database to its tables, each with its number of rows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **databases: dict[str, int]) -> None:
        monkeypatch.setattr(sql, "table_names", lambda _, name: sorted(databases.get(name, {})))
        monkeypatch.setattr(sql, "scalar", lambda _, statement: databases["neutron"]["networks"])


@pytest.mark.parametrize("databases", [{}, {"neutron": {"networks": 0}}], ids=["no database", "an empty one"])
def test_preflight_notes_what_leaving_neutron_out_means(
    monkeypatch: pytest.MonkeyPatch, databases: dict[str, dict[str, int]]
) -> None:
    Tables(monkeypatch, **databases)
    [told] = left_out.ask(None, "neutron", "neutron:server:plugin is contrail on ctl01")
    assert (told["severity"], told["id"]) == ("info", "networks-left-out")
    assert told["what"].startswith("neutron is left out: neutron:server:plugin is contrail on ctl01, so Contrail keeps")
    assert "before and after" in told["remedy"]


def test_networks_in_the_database_of_a_neutron_that_is_left_out_stop_the_upgrade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Tables(monkeypatch, neutron={"networks": 7})
    [told] = left_out.ask(None, "neutron", "neutron:server:plugin is contrail on ctl01")
    assert (told["severity"], told["id"], told["count"]) == ("blocker", "networks-held", 7)
    assert "take contrail out of the model" in told["remedy"]


def test_servers_are_listed_without_details_where_no_neutron_answers_nova() -> None:
    asked = {one.name: one for one in resources.asked(["neutron"])}
    assert set(asked) == {one.name for one in resources.RESOURCES} - {"networks"}
    assert asked["servers"].path.startswith("/servers?")
    rows = [("a", "web", "active"), ("b", "gone", "soft-delete")]
    found = resources.taken(asked["servers"], rows)
    assert found.records == {"a": {"name": "web"}}
    assert asked["servers"].record({"id": "a", "name": "web"}) == ("a", {"name": "web"})
    assert resources.asked() == resources.RESOURCES
