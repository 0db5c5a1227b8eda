"""Another hop is another file: a made-up one gives a plan with no code changed, and one that is no path is refused by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrader_node.release import delivery, reading
from upgrader_node.release.reading import NotAPath

from tests.support.clouds import FACTS, UPG, lab_pillar
from upgrader.cloud.cloud import Cloud, cloud_from_pillar
from upgrader.cloud.release import RELEASES, release_path
from upgrader.errors import Refused, UsageError
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Options, Plan, Step

MADE_UP = Path(__file__).with_name("releases")
GIVEN: dict[str, Any] = yaml.safe_load((RELEASES / "mitaka-ocata.yaml").read_text())


def cloud(source: str, target: str, *services: str) -> Cloud:
    pillar = lab_pillar()
    pillar["cfg01.lab.local"]["upgrader"]["release"] = {"source": source, "target": target}
    account = {"host": "vip01.lab.local", "user": "x", "password": "secret-x"}
    for service in services:
        pillar[UPG][service] = {"server": {"database": {**account, "name": f"{service}_upgrade"}}}
    return cloud_from_pillar(pillar, "cfg01.lab.local", MADE_UP)


def plan(made: Cloud, options: Options | None = None) -> Plan:
    return make_plan(made, "control-plane", "test-upgrade", FACTS, options)


def step(made: Plan, identity: str) -> Step:
    return next(step for step in made.steps() if step.id == identity)


def phases(made: Plan) -> list[str]:
    return [step.id for step in made.steps() if step.call.function == "upgrader_schema.phase"]


def test_a_third_release_is_planned_from_its_file_alone() -> None:
    made = plan(cloud("ocata", "pike"))
    assert phases(made) == ["nova-api-db", "nova-db", "nova-online", "keystone-expand", "keystone-contract"]
    assert (made.source, made.target) == ("ocata", "pike")
    db = step(made, "nova-db")
    assert db.call.args == {"service": "nova", "phase": "db", "release": "ocata-pike"}
    assert (db.title, db.call.timeout) == ("nova: main schema to pike (362)", 241 * 60)
    assert step(made, "source-versions").call.args["versions"] == {
        "nova": 347, "nova_api": 31, "nova_cell0": 347, "keystone": {"keystone": 109, "keystone_expand": 16},
    }  # fmt: skip
    assert "glance" not in made.to_json()
    assert not [one.id for one in made.steps() if one.id.startswith("probe-")], "the probed rows are Mitaka's"


def test_every_call_that_depends_on_the_path_names_it() -> None:
    made = plan(cloud("ocata", "pike"))
    for identity in ("upgrade-node", "baseline", "verify-nova", "verify-keystone", "verify-nova-status"):
        assert step(made, identity).call.args["release"] == "ocata-pike", identity
    usual = plan(cloud_from_pillar(lab_pillar(), "cfg01.lab.local"))
    assert not [step.id for step in usual.steps() if "release" in step.call.args]


def test_a_service_that_nobody_knows_is_planned_with_its_databases() -> None:
    made = cloud("mitaka", "queens", "panko")
    assert made.service("panko").clones == (("panko", "panko_upgrade"), ("panko_events", "panko_upgrade_events"))
    planned = plan(made)
    assert phases(planned)[-2:] == ["panko-events", "panko-prune"]
    assert step(planned, "panko-events").title == "panko: events to a schema of their own"
    assert step(planned, "source-versions").call.args["versions"]["panko_events"] == 12
    assert step(planned, "verify-panko").needs == ("panko-prune",)


def test_a_jump_that_nobody_described_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused, match=r"mitaka to pike.*known: mitaka to queens, ocata to pike"):
        cloud("mitaka", "pike")


def test_an_option_that_the_command_lacks_is_refused(tmp_path: Path) -> None:
    raw = copy.deepcopy(GIVEN)
    raw["services"]["heat"]["phases"][0]["option"] = "no_such_option"
    (tmp_path / "mitaka-ocata.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(UsageError, match="heat has a phase for option no_such_option"):
        plan(cloud_from_pillar(lab_pillar(), "cfg01.lab.local", tmp_path))


def at(raw: Any, key: str) -> tuple[Any, Any]:
    *way, last = key.split(":")
    for part in way:
        raw = raw[int(part)] if isinstance(raw, list) else raw[part]
    return raw, last


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("source", None, "FILE: source is missing"),
        ("services", {}, "FILE: services names no service"),
        ("services", [1], "FILE: services is [1], and should be a mapping"),
        ("hop", 1, "FILE: hop is not known; known: nodes, services, source, target, through"),
        ("through", "newton", "FILE: through is 'newton', and should be a list"),
        ("through", [1], "FILE: through is [1], and should be a list of names"),
        ("services:heat", None, "FILE: services:heat is no mapping"),
        ("services:heat:phases", [], "FILE: services:heat:phases names no phase"),
        ("services:heat:phases:0", None, "FILE: services:heat:phases:1 is no mapping"),
        (
            "services:heat:phases:0",
            {"id": "ocata", "titel": "x"},
            "FILE: services:heat:phases:ocata:titel is not known",
        ),
        ("services:heat:phases:0", {"id": "ocata", "minutes": 1}, "FILE: services:heat:phases:ocata:title is missing"),
        (
            "services:heat:phases:0:minutes",
            "1 h",
            "FILE: services:heat:phases:ocata:minutes is '1 h', and should be a number",
        ),
        ("services:heat:phases:0:minutes", True, "FILE: services:heat:phases:ocata:minutes is True"),
        (
            "services:heat:phases:0:minutes",
            0,
            "FILE: services:heat:phases:ocata:minutes is 0, and should be at least 1",
        ),
        ("services:heat:phases:1:id", "ocata", "FILE: services:heat:phases:ocata:id stands twice"),
        ("services:heat:phases:0:after", ["head"], "FILE: services:heat:phases:ocata:after names head"),
        ("services:heat:databases", {}, "FILE: services:heat:databases has no main with a source"),
        ("services:heat:databases:main:source", 7.1, "FILE: services:heat:databases:main:source is 7.1"),
        ("services:heat:least", {"heat": "x"}, "FILE: services:heat:least is {'heat': 'x'}, and should hold numbers"),
        (
            "services:heat:tables:service",
            {"more": 1},
            "FILE: services:heat:tables:service:more is 1, and should be true",
        ),
        ("services:heat:units", {"before": {}}, "FILE: services:heat:units:before is not known; known: source, target"),
        ("services:heat:units:source", {"api": []}, "FILE: services:heat:units:source:api is not known"),
        (
            "services:heat:units:source:apis",
            "heat-api",
            "FILE: services:heat:units:source:apis is 'heat-api', and should",
        ),
        ("services:swift", {"databases": {"main": {"source": 1}}}, "FILE: services:swift:role is missing"),
    ],
)
def test_what_is_no_release_path_is_refused_with_file_and_key(key: str, value: Any, words: str) -> None:
    raw = copy.deepcopy(GIVEN)
    inside, last = at(raw, key)
    inside[int(last) if isinstance(inside, list) else last] = value
    with pytest.raises(NotAPath) as caught:
        reading.read(raw, "FILE")
    assert words in str(caught.value)


def test_the_command_refuses_a_broken_file_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mitaka-ocata.yaml"
    for text, words in (("a: [", "is no YAML"), ("source: mitaka", "target is missing")):
        file.write_text(text)
        with pytest.raises(Refused, match=words) as caught:
            release_path("mitaka", "ocata", tmp_path)
        assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("pillar", "given", "url"),
    [
        ({}, None, "salt://upgrader/releases/mitaka-ocata.yaml"),
        (
            {"upgrader": {"release": {"source": "ocata", "target": "pike"}}},
            None,
            "salt://upgrader/releases/ocata-pike.yaml",
        ),
        ({"upgrader": {"release": {"source": "a", "target": "b"}}}, "c-d", "salt://upgrader/releases/c-d.yaml"),
        ({}, "salt://ours/hop.yaml", "salt://ours/hop.yaml"),
    ],
)
def test_a_node_takes_the_path_of_the_call_else_of_its_pillar(pillar: Any, given: str | None, url: str) -> None:
    asked: list[str] = []

    def fetch(wanted: str) -> str:
        asked.append(wanted)
        return (MADE_UP / "ocata-pike.yaml").read_text()

    assert delivery.release_path(pillar, fetch, yaml, given).target == "pike" and asked == [url]


def test_a_node_says_which_file_it_cannot_get_or_read() -> None:
    for text, words in ((False, "there is no release path"), ("a: [", "is no YAML"), ("a: 1", "a is not known")):
        with pytest.raises(NotAPath, match=f"{words}.*" if text is False else words) as caught:
            delivery.release_path({}, lambda url, text=text: text, yaml)  # type: ignore[misc]
        assert "salt://upgrader/releases/mitaka-ocata.yaml" in str(caught.value)


def test_the_data_themselves_can_be_given() -> None:
    def nothing(url: str) -> str:
        raise AssertionError(f"{url} was asked for")

    assert delivery.release_path({}, nothing, yaml, GIVEN).name == "mitaka-ocata"


def test_phases_on_demand_and_order_are_the_paths() -> None:
    nova = release_path("mitaka", "ocata").service("nova")
    assert [phase.id for phase in nova.before(nova.phase("online-newton"))] == ["db-newton"]
    cinder = release_path("mitaka", "ocata").service("cinder")
    assert [phase.id for phase in cinder.before(cinder.phase("online"))] == ["newton", "ocata"]


def test_units_come_by_kind_then_by_service_and_a_path_need_not_name_any() -> None:
    path = release_path("mitaka", "ocata")
    assert [unit for _, unit in path.units(["keystone", "glance", "cinder"])] == [
        "glance-api", "glance-registry", "cinder-api", "cinder-scheduler", "cinder-volume", "keystone", "apache2",
    ]  # fmt: skip
    assert ("nova", "nova-cert") not in path.units(["nova"], "target")
    assert release_path("ocata", "pike", MADE_UP).units(["nova", "keystone"]) == ()
