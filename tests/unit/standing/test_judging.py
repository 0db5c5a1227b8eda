"""What only shows beside the other nodes: clocks, room, versions, silence, the age of the newest proven backup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from upgrader.plan.step import Call
from upgrader.preflight import judging, questions
from upgrader.preflight.asking import Answered
from upgrader.transport.reply import Reply, silent

SENT, RECEIVED = 1000.0, 1002.0
GIB = 2**30


def answered(values: Mapping[str, Any]) -> Answered:
    return Answered(
        {node: Reply(node, True, value) for node, value in values.items()}, SENT, dict.fromkeys(values, RECEIVED)
    )


def facts(time: float = 1001.0, salt: str = "3006.9", free: int = 50 * GIB, **more: Any) -> dict[str, Any]:
    room = {"folder": "/", "total": 100 * GIB, "free": free, "inodes": 1000, "inodes_free": 900, **more}
    return {"time": time, "salt": salt, "room": [room]}


def found(values: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    return [(one["id"], one["severity"], one.get("rows")) for one in judging.hosts(answered(values), "cfg01")]


@pytest.mark.parametrize(
    ("said", "skew"),
    [(1000.0, 0.0), (1001.5, 0.0), (1002.0, 0.0), (1010.0, 8.0), (990.0, -10.0)],
)
def test_clock_is_off_by_what_the_way_of_question_and_answer_does_not_explain(said: float, skew: float) -> None:
    assert judging.skewed(said, SENT, RECEIVED) == skew


def test_nodes_whose_clocks_agree_have_no_finding() -> None:
    assert found({"cfg01": facts(), "cmp01": facts(996.0), "cmp02": facts(1006.0)}) == []


def test_clocks_that_are_off_are_one_finding_and_those_that_nova_takes_for_dead_another() -> None:
    said = found({"cfg01": facts(), "a": facts(990.0), "b": facts(1012.0), "c": facts(1100.0)})
    assert said == [
        ("clock-skew", "warning", ["a 10 s behind", "b 10 s ahead"]),
        ("clock-skew", "blocker", ["c 98 s ahead"]),
    ]


@pytest.mark.parametrize(
    ("room", "severity"),
    [
        ({"free": 20 * GIB}, []),
        ({"free": 4 * GIB}, ["warning"]),
        ({"free": 100 * 2**20}, ["blocker"]),
        ({"free": 50 * GIB, "inodes_free": 10}, ["warning"]),
        ({"free": 0, "total": 0, "inodes": 0}, []),
    ],
)
def test_file_systems_without_room_are_told(room: Mapping[str, int], severity: list[str]) -> None:
    assert [one[1] for one in found({"cfg01": facts(**{"inodes_free": 900, **room})})] == severity


def test_minions_that_are_newer_than_their_master_are_told_and_older_ones_noted() -> None:
    said = found(
        {
            "cfg01": facts(salt="3006.9"),
            "a": facts(salt="3007.1"),
            "b": facts(salt="2017.7.8"),
            "c": facts(salt="3006.10"),
        }
    )
    assert said == [
        ("salt-versions", "warning", ["c"]),
        ("salt-versions", "warning", ["a"]),
        ("salt-versions", "info", ["2017.7.8: b"]),
    ]


def test_silence_stops_where_a_step_needs_the_node_and_is_told_elsewhere() -> None:
    bad = {
        "dbs01": silent("dbs01", "dbs01 does not answer (silent for 20 s): is the machine up?"),
        "cmp01": silent("cmp01", "cmp01 does not answer (silent for 20 s): is the machine up?"),
        "upg01": Reply(
            "upg01", False, error="upg01 runs other Salt modules (hash a) than this ships (hash b): put them there"
        ),
    }
    said = [
        (one["id"], one["subject"], one["severity"], one["remedy"])
        for one in judging.unanswered(bad, {"dbs01", "upg01"})
    ]
    assert said == [
        ("silent", "cmp01", "warning", "is the machine up?"),
        ("silent", "dbs01", "blocker", "is the machine up?"),
        ("not-ready", "upg01", "blocker", ""),
    ]


def question(stops: bool, name: str = "queue") -> questions.Question:
    return questions.Question(name, "title", Call("module", "upgrader_standing.queue", ("msg01",)), stops)


@pytest.mark.parametrize(("stops", "severity"), [(True, "blocker"), (False, "warning")])
def test_node_that_comes_to_no_answer_is_a_finding(stops: bool, severity: str) -> None:
    failed = Answered({"msg01": Reply("msg01", False, error="there is no rabbitmqctl")}, SENT, {})
    [one] = judging.answers(question(stops), failed)
    assert (one["severity"], one["what"], one["id"]) == (severity, "msg01: there is no rabbitmqctl", "queue")


def test_what_a_node_found_itself_is_taken_as_it_is() -> None:
    own = {"severity": "warning", "subject": "msg01", "what": "w", "remedy": "r"}
    assert list(judging.answers(question(True), answered({"msg01": {"findings": [own, "nonsense"]}}))) == [own]
    assert list(judging.answers(question(True), answered({"msg01": {"comment": "fine"}}))) == []
    assert [one["severity"] for one in judging.answers(question(True, "preflight"), answered({"msg01": {}}))] == [
        "blocker"
    ]


RECEIPT = {"taken_at": "2017-08-01T10:00:00Z", "proven": "2017-08-01T11:00:00Z", "cloud": "lab"}
NOW = 1501585200.0
"""2017-08-01T11:00:00Z."""


@pytest.mark.parametrize(
    ("receipts", "severity", "words"),
    [
        ([RECEIPT], "info", "is 1 hours old (taken 2017-08-01T10:00:00Z)"),
        ([RECEIPT, {**RECEIPT, "taken_at": "2017-07-01T10:00:00Z"}], "info", "is 1 hours old"),
        ([{**RECEIPT, "taken_at": "2017-07-22T11:00:00Z"}], "warning", "is 10 days old"),
        ([{**RECEIPT, "proven": False}], "warning", "holds no proven backup"),
        ([{**RECEIPT, "cloud": "another"}], "warning", "holds no proven backup"),
        ([], "warning", "holds no proven backup"),
    ],
)
def test_age_of_the_newest_proven_backup_of_this_cloud_is_told(receipts: list[Any], severity: str, words: str) -> None:
    [one] = judging.backups(answered({"cfg01": receipts}), "lab", NOW)
    assert one["severity"] == severity and words in one["what"]


@dataclass(frozen=True)
class OfModel:
    kind: str
    nodes: tuple[str, ...]
    what: str = "is wrong"
    remedy: str = "mend it"
    file: str = "/m/a.yml"


def test_what_breaks_a_model_stops_by_itself_and_what_it_lacks_is_told_together() -> None:
    said = list(
        judging.model([OfModel("class", ("a.x",)), OfModel("value", ("b.x", "c.x")), OfModel("class", ("d.x",))])
    )
    assert [(one["id"], one["severity"]) for one in said] == [("model-value", "blocker"), ("model-class", "warning")]
    assert said[0]["what"] == "b, c: is wrong (/m/a.yml)"
    assert said[1]["rows"] == ["a: mend it, in /m/a.yml", "d: mend it, in /m/a.yml"]
