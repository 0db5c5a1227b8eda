"""What the questions make of answers: leftovers, derived constraints, texts, paragraphs. Without a server."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from upgrader_node.preflight import catalog, image_values, leftovers, texts, tighter
from upgrader_node.preflight.question import Names

from upgrader.report.findings import findings_text

SCHEMAS = Path(__file__).parents[3] / "formulas/upgrader/releases/mitaka-ocata-schemas.json"
SOURCE, TARGET = {"a": ["id"], "b": ["id", "x"]}, {"a": ["id", "new"], "made": ["id"]}


def test_what_the_upgrade_makes_is_told_from_what_nobody_knows() -> None:
    live = {"a": ["id", "new", "odd"], "made": ["id"], "backup": ["id"]}
    stray = leftovers.strays("keystone", live, SOURCE, TARGET)
    assert stray.columns == [("a", "new")] and stray.tables == ["made"]
    assert stray.foreign == [("a", "odd")] and stray.others == ["backup"]
    assert stray.lacking == ["b"]


def test_columns_that_keystones_own_migration_drops_are_no_leftover() -> None:
    stray = leftovers.strays("keystone", {"user": ["id", "domain_id"]}, {"user": ["id"]}, {"user": ["id", "domain_id"]})
    assert not any(stray)


def test_tables_are_dropped_before_those_they_refer_to() -> None:
    keys = [("child", "x", "k", "parent"), ("grandchild", "y", "k", "child")]
    assert leftovers._children_first(["parent", "child", "grandchild"], keys) == ["grandchild", "child", "parent"]


def test_derived_schemas_hold_every_database_of_both_releases() -> None:
    schemas = json.loads(SCHEMAS.read_text())
    for side in ("source", "target", "tighter"):
        assert {name: len(found) for name, found in schemas[side].items()} == {
            "keystone": 1, "glance": 1, "nova": 2, "cinder": 1, "neutron": 1, "heat": 1,
        }  # fmt: skip
    assert "key_hash" in schemas["target"]["keystone"][0]["credential"]
    assert "key_hash" not in schemas["source"]["keystone"][0]["credential"]


@pytest.mark.parametrize(
    ("rule", "condition"),
    [
        ({"kind": tighter.NOT_NULL}, "t.`c` IS NULL"),
        ({"kind": tighter.LENGTH, "length": 36}, "CHAR_LENGTH(t.`c`) > 36"),
        ({"kind": tighter.ENUM, "values": ["x", "y"]}, "t.`c` NOT IN ('x', 'y')"),
        ({"kind": tighter.UNIQUE}, "GROUP BY t.`c` HAVING COUNT(*) > 1"),
        (
            {"kind": tighter.FOREIGN_KEY, "refers": ["o", "id"]},
            "NOT EXISTS (SELECT 1 FROM `d`.`o` o WHERE o.`id` = t.`c`)",
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_each_kind_of_constraint_becomes_a_question(rule: dict[str, object], condition: str) -> None:
    statement = tighter._statement({**rule, "database": "d", "table": "t", "columns": ["c"]})
    assert condition in statement


def test_constraints_with_a_question_of_their_own_are_not_asked_twice() -> None:
    schemas = json.loads(SCHEMAS.read_text())
    rules = tighter.rules(Names("neutron", ("neutron",)), schemas)
    assert "floatingips" not in {rule["table"] for rule in rules}


@pytest.mark.parametrize("text", ["", "{", "{}", "null", '[{"count": 1}]', '["x"]'])
def test_pci_requests_that_nova_cannot_read(text: str) -> None:
    assert texts.unreadable_pci_requests(text)


@pytest.mark.parametrize("text", [None, "[]", '[{"count": 1, "spec": [], "alias_name": null, "request_id": null}]'])
def test_pci_requests_that_nova_can_read(text: str | None) -> None:
    assert not texts.unreadable_pci_requests(text)


def test_a_pickle_that_is_cut_off_is_told_from_a_whole_one_and_never_loaded() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("it was loaded",))

    for whole in (pickle.dumps({"a": ["ü", 1]}, 2), pickle.dumps(Bomb(), 2)):
        assert not texts.cut_off_pickle(whole)
        assert texts.cut_off_pickle(whole[:-1])
    assert not texts.cut_off_pickle(None)


def test_what_was_meant_is_a_value_that_nova_takes() -> None:
    assert image_values.meant("image_hw_disk_bus", "VIRTIO") == "virtio"
    assert image_values.meant("image_os_type", "freebsd") is None
    assert not [pair for pair, value in image_values.MEANT.items() if image_values.is_refused(pair[0], value)]
    assert all(image_values.is_refused(*pair) for pair in image_values.MEANT)


def test_every_question_of_a_service_names_that_service_or_all() -> None:
    assert {question.service for question in catalog.of_service("heat")} == {"heat", ""}
    assert {question.service for question in catalog.of_service("server")} == {"server"}


def test_statements_stay_whole_and_the_rest_keeps_to_80_columns() -> None:
    statement = "UPDATE x SET y = 1 WHERE id = " + "1" * 100
    finding = {
        "id": "i", "severity": "blocker", "service": "nova", "subject": "instances", "what": "word " * 40, "remedy": "do " * 40,
        "count": 30, "rows": [f"row-{number}" for number in range(3)], "statements": [statement] * 2, "source": "LP 1",
    }  # fmt: skip
    text = findings_text([finding])
    assert f"    {statement};" in text.splitlines()
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("    UPDATE"))
    assert "row-2 and 27 more" in " ".join(text.split())
    assert text.startswith("BLOCKER nova/instances (i)")
