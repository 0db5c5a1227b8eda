"""``upgrader preflight --deep``: each page goes from the backup node to the upgrade node; progress on stderr, exit code 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from upgrader_node.probe import kinds

from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401  the fixtures
from upgrader.cli import probing
from upgrader.plan.step import Call
from upgrader.report import live_line as progress

REFUSED = {
    "id": "probed-flavors", "severity": "blocker", "service": "nova", "subject": "instance_extra", "what": "flavors: 2; they break",
    "remedy": "write them anew", "statements": [], "source": "nova", "count": 2, "rows": ["uuid-1 (KeyError: 'cur')"],
}  # fmt: skip


class Nodes:
    """Answers of both nodes: each kind has pages of two rows; ``flavors`` have two pages, both with refused rows."""

    def __init__(self, salt: SaltInMemory) -> None:  # noqa: F811
        self.calls: list[tuple[str, str, Mapping[str, Any]]] = []
        self.usual = salt.answer
        self.failing: dict[str, str] = {}
        salt.answer = self.answer

    def answer(self, call: Call, node: str) -> Mapping[str, Any] | None:
        self.calls.append((call.function, node, call.args))
        word = f"{call.function} {call.args.get('kind', '')}".strip()
        for failing, sentence in self.failing.items():
            if failing == word:
                return {"return": f"ERROR: {sentence}", "retcode": 1}
        if call.function == "upgrader_preflight.databases":
            return {"return": {"findings": []}, "retcode": 0}
        if call.function == "upgrader_probe.page":
            return {"return": self.page(call.args), "retcode": 0}
        if call.function == "upgrader_probe.judge":
            found = [REFUSED for page in call.args["pages"] if page["kind"] == "flavors"]
            return {"return": {"findings": found, "judged": 2}, "retcode": 0}
        return self.usual(call, node)

    def page(self, args: Mapping[str, Any]) -> dict[str, Any]:
        more = args["kind"] == "flavors" and "after" not in args
        secret = kinds.named(args["service"], args["kind"]).secret
        return {"total": 4, "rows": 2, "after": 2, "more": more, "packed": "" if secret else "eJw=", "findings": []}

    def of(self, function: str) -> list[tuple[str, Mapping[str, Any]]]:
        return [(node, args) for called, node, args in self.calls if called == function]


@pytest.fixture
def nodes(salt: SaltInMemory) -> Nodes:  # noqa: F811
    return Nodes(salt)


def test_pages_are_read_on_the_backup_node_and_judged_on_the_upgrade_node(command: Command, nodes: Nodes) -> None:  # noqa: F811
    ran = command("preflight", "--deep")
    assert ran.code == 3
    read, judged = nodes.of("upgrader_probe.page"), nodes.of("upgrader_probe.judge")
    assert {node for node, _ in read} == {"cfg01.lab.local"} and {node for node, _ in judged} == {"upg01.lab.local"}
    assert {(args["service"], args["kind"]) for _, args in read} == {
        (s, k.id) for s in kinds.KINDS for k in kinds.of_service(s)
    }
    assert [args.get("after") for _, args in read if args["kind"] == "flavors"] == [None, 2]
    assert [[page["kind"] for page in args["pages"]].count("flavors") for _, args in judged] == [2, 0]
    assert [args["service"] for _, args in judged] == ["nova", "cinder"]


def test_findings_of_all_pages_are_one_and_the_rows_are_counted(command: Command, nodes: Nodes) -> None:  # noqa: F811
    document = json.loads(command("preflight", "--deep", "-o", "json").out)
    assert [(one["id"], one["count"]) for one in document["findings"] if one["id"] != "model"] == [
        ("probed-flavors", 4)
    ]
    assert document["probed"]["nova.flavors"] == 4 and document["probed"]["heat.events"] == 2
    assert document["refused"] is True


def test_without_deep_nothing_is_probed(command: Command, nodes: Nodes) -> None:  # noqa: F811
    assert command("preflight").code == 0
    assert not nodes.of("upgrader_probe.page") and not nodes.of("upgrader_probe.ready")


def test_missing_code_is_three_in_one_sentence_before_anything_is_asked(command: Command, nodes: Nodes) -> None:  # noqa: F811
    nodes.failing["upgrader_probe.ready"] = "/opt/ocata/bin/nova-manage cannot be used: install Ocata's nova"
    ran = command("preflight", "--deep")
    assert ran.code == 3
    assert (
        "--deep needs the upgrade node's own code: upg01.lab.local: /opt/ocata/bin/nova-manage cannot be used"
        in ran.err
    )
    assert not nodes.of("upgrader_preflight.databases") and not nodes.of("upgrader_probe.page")


def test_a_page_that_cannot_be_read_is_three_and_the_rest_is_told(command: Command, nodes: Nodes) -> None:  # noqa: F811
    nodes.failing["upgrader_probe.page snapshots"] = "the database failed while it was asked"
    ran = command("preflight", "--deep", "-o", "json")
    assert ran.code == 3 and "the database failed while it was asked" in ran.err
    document = json.loads(ran.out)
    assert document["findings"] and document["probed"]["nova.request-specs"] == 2
    assert not [name for name in document["probed"] if not name.startswith("nova.")]


def test_rows_that_were_read_and_not_judged_are_not_counted(command: Command, nodes: Nodes) -> None:  # noqa: F811
    nodes.failing["upgrader_probe.judge"] = "the probe of nova's rows broke off"
    ran = command("preflight", "--deep", "-o", "json")
    assert ran.code == 3 and "broke off" in ran.err
    assert json.loads(ran.out)["probed"] == {}


def test_a_call_carries_no_more_than_salt_takes(
    command: Command,  # noqa: F811
    nodes: Nodes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probing.packing, "LIMIT", 8)
    document = json.loads(command("preflight", "--deep", "-o", "json").out)
    assert {len(args["pages"]) for _, args in nodes.of("upgrader_probe.judge")} <= {1, 2}
    assert document["probed"]["nova.flavors"] == 4 and document["findings"][0]["count"] == 4


def test_progress_is_told_on_stderr(command: Command, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(progress, "EVERY", 0.0)
    ran = command("preflight", "--deep")
    assert "probing nova.instance_extra (flavors): 4 rows\n" in ran.err
    assert "probing nova.instance_extra (flavors): 4 of 4\n" in ran.err


def test_an_answer_without_findings_is_no_pass(command: Command, nodes: Nodes, salt: SaltInMemory) -> None:  # noqa: F811
    good = nodes.answer
    empty = {"return": {}, "retcode": 0}
    salt.answer = lambda call, node: empty if call.function == "upgrader_probe.judge" else good(call, node)
    ran = command("preflight", "--deep")
    assert ran.code == 3 and "answered upgrader_probe.judge without findings" in ran.err
