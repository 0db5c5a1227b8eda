"""``upgrader verify``: a table or one document, exit code 3 when the cloud is not what its source was, no journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401  the fixtures

CALLS = [
    {"call": "servers", "command": "openstack server list --all-projects", "found": 11, "expected": 12, "seconds": 0.4},
    {"call": "flavor", "command": "create, show and delete", "found": 0, "expected": None, "seconds": 0.3},
]
GONE = {
    "severity": "blocker", "subject": "servers", "what": "servers: 1 of 12 missing: 12cfdd8b",
    "remedy": "compare with 'openstack server list --all-projects' on the source",
}  # fmt: skip


def answering(salt: SaltInMemory, *found: dict[str, Any]) -> None:  # noqa: F811
    good = salt.answer
    value = {"comment": "16 calls in 2.1 s as x", "calls": CALLS, "seconds": 2.1, "findings": list(found)}
    reply = {"return": value, "retcode": 0}
    salt.answer = lambda call, node: reply if call.function == "upgrader_verify.calls" else good(call, node)


def test_cloud_as_its_source_is_zero_and_leaves_no_journal(
    command: Command,  # noqa: F811
    salt: SaltInMemory,  # noqa: F811
    tmp_path: Path,
) -> None:
    answering(salt)
    ran = command("verify")
    assert ran.code == 0
    assert "no finding" in ran.out
    assert "openstack server list --all-projects" in ran.out
    assert not list(tmp_path.rglob("*.jsonl"))


def test_blocker_is_three_with_the_table_on_stdout(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, GONE)
    ran = command("verify", "--node", "upg01")
    assert ran.code == 3
    assert "1 blocker: the cloud on upg01.lab.local is not what its source was" in ran.err
    assert "12cfdd8b" in " ".join(ran.out.replace("|", " ").split())


def test_json_is_one_document(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, GONE)
    ran = command("verify", "-o", "json")
    document = json.loads(ran.out)
    assert ran.code == 3
    assert document["schema"] == "upgrader.verification/1"
    assert (document["node"], document["refused"], document["calls"]) == ("upg01.lab.local", True, CALLS)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), {"run": "", "cloud": "", "openrc": "", "change": True}),
        (("--baseline", "none", "--read-only"), {"run": "none", "change": False}),
        (("--openrc", "/root/keystonercv3"), {"openrc": "/root/keystonercv3"}),
        (("--cloud", "admin_identity"), {"cloud": "admin_identity"}),
    ],
)
def test_what_the_operator_asks_for_reaches_the_node(
    command: Command,  # noqa: F811
    salt: SaltInMemory,  # noqa: F811
    words: tuple[str, ...],
    wanted: dict[str, Any],
) -> None:
    answering(salt)
    command("verify", *words)
    (asked,) = [call for call, _ in salt.jobs.values() if call.function == "upgrader_verify.calls"]
    assert asked.nodes == ("upg01.lab.local",)
    assert wanted.items() <= dict(asked.args).items()


def test_answer_that_is_none_is_refused(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    good = salt.answer
    nothing = {"return": {"comment": "fine"}, "retcode": 0}
    salt.answer = lambda call, node: nothing if call.function == "upgrader_verify.calls" else good(call, node)
    ran = command("verify")
    assert ran.code == 3
    assert "answered without calls" in ran.err
