"""``upgrader data-plane``: one stage after the other, what is asked between them, and how each bad case ends."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.data_plane import CFG, COMPUTES, GATEWAY, data_plane_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, Ran, command, salt  # noqa: F401
from upgrader.cli.nodes import flow
from upgrader.plan.step import Call

ONE, TWO, THREE, FOUR = COMPUTES
PACKAGES = [
    {
        "name": "nova-compute",
        "from": "2:13.1.4-0ubuntu4",
        "to": "2:15.1.0-0ubuntu1",
        "size": 12000,
        "action": "upgrade",
    },
    {"name": "python-oldthing", "from": "1.0", "to": "", "size": 0, "action": "remove"},
]


class World:
    """Nodes that answer well but where a test says otherwise, each with its package difference."""

    def __init__(self, salt: SaltInMemory) -> None:
        self.salt, self.digests, self.bad, self.calls = (
            salt,
            dict[str, str](),
            dict[tuple[str, str], Any](),
            list[Call](),
        )
        salt.pillar, salt.answer = data_plane_pillar(), self.answer
        submit = salt.submit

        def noted(call: Call, jid: str) -> None:
            self.calls.append(call)
            submit(call, jid)

        salt.submit = noted  # type: ignore[method-assign]

    def answer(self, call: Call, node: str) -> Mapping[str, Any] | None:
        if (call.function, node) in self.bad:
            given: Mapping[str, Any] | None = self.bad[call.function, node]
            return given
        if call.kind == "state":
            return {"return": {"a": {"result": True}}, "retcode": 0}
        if call.function == "upgrader_package.difference":
            digest = self.digests.get(node, "d" * 64)
            return {"return": {"digest": digest, "packages": PACKAGES, "sources": []}, "retcode": 0}
        return {"return": {"comment": "fine"}, "retcode": 0}

    def nodes(self, function: str) -> list[tuple[str, ...]]:
        return [call.nodes for call in self.calls if call.function == function]


FAILED = {"return": "ERROR: dpkg was interrupted", "retcode": 1}
UPGRADE = "upgrader_package.upgrade"


@pytest.fixture
def world(salt: SaltInMemory) -> World:
    return World(salt)


@pytest.fixture
def nodes(command: Command, world: World) -> Callable[..., Ran]:
    return lambda *words: command("data-plane", *words)


Nodes = Callable[..., Ran]


def test_all_stages_in_their_order(nodes: Nodes, world: World) -> None:
    ran = nodes("--target", "cmp*,gtw*", "--yes", "--batch", "2")
    assert ran.code == 0, ran.err
    assert world.nodes(UPGRADE) == [(ONE,), (TWO, THREE), (FOUR,), (GATEWAY,)]
    assert re.findall(r"\((\w+) of cloud lab\): finished", ran.out) == ["test", "sample", "all"]
    assert world.nodes("upgrader_agents.closed") == [("ctl01.lab.local",)]
    again = nodes("--target", "cmp*", "--yes")
    assert again.code == 0
    assert "every node that --target 'cmp*' names is at Ocata" in again.out


def test_test_shows_nodes_with_the_same_difference_together_and_what_is_no_plain_upgrade_first(
    nodes: Nodes, world: World
) -> None:
    world.digests[THREE] = "e" * 64
    ran = nodes("--target", "cmp*", "--stage", "test")
    assert ran.code == 0, ran.err
    assert "cmp001, cmp002, cmp004: 2 packages, 12 kB each; digest dddddddddddd" in ran.out
    assert "cmp003: 2 packages" in ran.out
    lines = ran.out.splitlines()
    removed = next(number for number, line in enumerate(lines) if "python-oldthing" in line)
    assert "nova-compute" in lines[removed + 1] and "2:15.1.0-0ubuntu1" in lines[removed + 1]
    assert world.nodes(UPGRADE) == []


def test_stage_test_asks_nobody_for_an_approval_and_the_others_do(nodes: Nodes, world: World) -> None:
    assert nodes("--target", "cmp*", "--stage", "test").code == 0
    ran = nodes("--target", "cmp*", "--stage", "sample")
    assert ran.code == 2
    assert "data-plane sample has to be confirmed" in ran.err
    assert world.nodes(UPGRADE) == []


def test_sample_without_a_test_is_refused(nodes: Nodes, world: World) -> None:
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert ran.code == 3
    assert "nobody has seen what would change on" in ran.err


def test_all_without_a_sample_is_refused(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    ran = nodes("--target", "cmp*", "--stage", "all", "--yes")
    assert ran.code == 3
    assert "data-plane all needs that sample has passed on cloud lab, and it has never run" in ran.err


def test_plan_of_the_sample_holds_what_each_node_said(nodes: Nodes, world: World, command: Command) -> None:
    world.digests[THREE] = "e" * 64
    tested = json.loads(nodes("--target", "cmp*", "--stage", "test", "-o", "json").out)["run"]
    words = (
        "--target",
        "cmp*",
        "--stage",
        "sample",
        "--sample",
        "cmp001,cmp003",
        "--batch",
        "2",
        "--allow",
        "python-oldthing",
    )
    plan = json.loads(command("plan", "data-plane", *words, "-o", "json").out)["plan"]
    steps = {step["id"]: step["call"] for step in plan["stages"][0]["steps"]}
    assert steps["packages-1"]["nodes"] == [ONE] and steps["packages-2"]["nodes"] == [THREE]
    assert steps["packages-1"]["args"] == {
        "run": tested,
        "digest": "d" * 64,
        "include": [],
        "allow": ["python-oldthing"],
    }
    assert steps["packages-2"]["args"]["digest"] == "e" * 64
    assert plan["stages"][0]["target"] == list(COMPUTES)


def test_difference_that_changed_since_it_was_shown_ends_with_six_and_nothing_is_done(
    nodes: Nodes, world: World
) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    world.digests[ONE] = "f" * 64
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert ran.code == 6
    assert "what would change on cmp001 is not what was shown any more, so nothing was done" in ran.err
    assert world.nodes(UPGRADE) == []


def test_node_that_cannot_say_any_more_what_would_change_ends_the_command_before_anything(
    nodes: Nodes, world: World
) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    world.bad["upgrader_package.difference", ONE] = {"return": "ERROR: apt cannot do that: held packages", "retcode": 1}
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert ran.code == 6
    assert (
        f"nothing was done, as nobody can tell whether what was shown is still what would change: {ONE}: apt cannot"
        in ran.err
    )
    assert "leave the node out" in ran.err
    assert world.nodes(UPGRADE) == [] and world.nodes("upgrader_agents.disable") == []


def test_silent_node_is_left_to_its_batch(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    world.bad["upgrader_package.difference", ONE] = None
    ran = nodes("--target", "cmp*", "--stage", "sample", "--sample", "cmp001", "--yes")
    assert ran.code == 0, ran.err
    assert world.nodes(UPGRADE) == [(ONE,)]


def test_approval_from_a_second_terminal_and_a_difference_that_changed_behind_it(
    nodes: Nodes, world: World, command: Command
) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    waiting = nodes("--target", "cmp*", "--wait")
    assert waiting.code == 6
    digest = re.findall(r"upgrader approve (\w+)", waiting.err)[0]
    assert command("approve", digest, "--by", "alice").code == 0
    world.digests[ONE] = "f" * 64
    changed = command("apply", digest)
    assert changed.code == 6
    assert world.nodes(UPGRADE) == []
    del world.digests[ONE]
    assert command("apply", digest).code == 0
    assert world.nodes(UPGRADE) == [(ONE,)]


def test_approval_that_expired_ends_with_six(
    nodes: Nodes, world: World, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upgrader.cli import runs

    nodes("--target", "cmp*", "--stage", "test")
    waiting = nodes("--target", "cmp*", "--wait", "--approve-within", "90m")
    digest = re.findall(r"upgrader approve (\w+)", waiting.err)[0]
    assert command("approve", digest).code == 0
    monkeypatch.setattr(runs, "utc_now", lambda: "2099-01-01T00:00:00Z")
    ran = command("apply", digest)
    assert ran.code == 6
    assert "expired" in ran.err
    assert world.nodes(UPGRADE) == []


def test_nobody_at_the_prompt_ends_with_six(nodes: Nodes, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(plan: object, yes: bool) -> None:
        signal_over = flow.signal.getsignal(flow.signal.SIGALRM)
        assert callable(signal_over)
        signal_over(flow.signal.SIGALRM, None)

    nodes("--target", "cmp*", "--stage", "test")
    monkeypatch.setattr(flow, "confirm", nobody)
    ran = nodes("--target", "cmp*", "--approve-within", "90m")
    assert ran.code == 6
    assert "within 5400 s, and nothing was done" in ran.err
    assert world.nodes(UPGRADE) == []


def test_node_that_appeared_later_is_ignored_and_named(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    world.salt.pillar[CFG]["upgrader"]["nodes"]["compute"].append("cmp009.lab.local")
    ran = nodes("--target", "cmp*", "--yes")
    assert ran.code == 0, ran.err
    assert "cmp009 was not there when run" in ran.err
    assert "cmp009.lab.local" not in {node for call in world.calls for node in call.nodes}
    assert world.nodes("upgrader_agents.closed") == [], "a compute is left at Mitaka"


def test_only_tested_nodes_go_on_and_the_rest_is_tested_before_all(nodes: Nodes, world: World) -> None:
    ran = nodes("--target", "cmp*", "--yes", "--test-nodes", "2")
    assert ran.code == 0, ran.err
    assert re.findall(r"\((\w+) of cloud lab\): finished", ran.out) == ["test", "sample", "test", "all"]
    assert world.nodes("upgrader_package.difference")[0] == (ONE, TWO)


def test_node_that_did_not_answer_the_test_is_named_and_not_upgraded(nodes: Nodes, world: World) -> None:
    world.bad["test.ping", TWO] = None
    ran = nodes("--target", "cmp*", "--stage", "test")
    assert ran.code == 4
    sample = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert sample.code == 0, sample.err
    ran = nodes("--target", "cmp*", "--stage", "all", "--yes")
    assert ran.code == 3
    assert "nobody has seen what would change on cmp002" in ran.err
    assert "'cmp* and not NODE'" in ran.err
    assert nodes("--target", "cmp* and not cmp002", "--stage", "all", "--yes").code == 0


def test_packages_that_are_included_have_to_be_shown_with_the_difference(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    ran = nodes("--target", "cmp*", "--stage", "sample", "--include", "qemu,libvirt", "--yes")
    assert ran.code == 3
    assert "with --include qemu,libvirt" in ran.err
    assert nodes("--target", "cmp*", "--stage", "test", "--include", "qemu,libvirt").code == 0
    ran = nodes("--target", "cmp*", "--stage", "sample", "--include", "qemu,libvirt", "--yes")
    assert ran.code == 0, ran.err
    assert "instances keep running on the old one" in ran.err


def test_dry_run_prints_the_next_plan_and_asks_no_node(nodes: Nodes, world: World) -> None:
    ran = nodes("--target", "cmp*", "--dry-run")
    assert ran.code == 0
    assert "stage test" in ran.out and "upgrader_package.difference" in ran.out
    assert world.calls == []
    nodes("--target", "cmp*", "--stage", "test")
    world.calls.clear()
    assert "stage sample" in nodes("--target", "cmp*", "--dry-run").out
    assert world.calls == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "name the nodes with --target"),
        (("--target", "*"), 3, "ctl01.lab.local (ctl)"),
        (("--target", "ctl01"), 3, "the data plane is computes and gateways"),
        (("--target", "nosuch*"), 2, "matches no node of cloud lab"),
        (("--target", "cmp001,cmp077"), 2, "cmp077 is none of"),
        (("--target", "cmp*", "--batch", "ten"), 2, "--batch is 'ten'"),
        (("--target", "cmp*", "--max-failures", "120%"), 2, "--max-failures is '120%'"),
        (("--target", "cmp*", "--approve-within", "soon"), 2, "--approve-within is 'soon'"),
        (("--target", "cmp*", "--stage", "all", "--sample", "2"), 2, "--sample is for sample"),
        (("--target", "cmp*", "--restart-openvswitch"), 2, "give --include openvswitch"),
        (("--stage", "rollback"), 2, "no run has changed a package"),
    ],
)
def test_words_that_cannot_be_meant_are_refused_before_anybody_is_asked(
    nodes: Nodes, world: World, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = nodes(*words)
    assert ran.code == code
    assert said in ran.err
    assert world.calls == []


def test_cloud_without_controllers_is_refused_in_a_sentence(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    del world.salt.pillar[CFG]["upgrader"]["nodes"]["control"]
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert ran.code == 3
    assert "pillar upgrader:nodes:control names no controller" in ran.err


def test_test_of_gateways_does_not_make_computes_new(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    nodes("--target", "gtw*", "--stage", "test")
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert ran.code == 0, ran.err
    assert "left out" not in ran.err


def test_differences_are_shown_of_nodes_that_answered_also_when_others_did_not(nodes: Nodes, world: World) -> None:
    world.bad["test.ping", TWO] = None
    ran = nodes("--target", "cmp*", "--stage", "test")
    assert "3 packages" not in ran.out and "cmp001, cmp003, cmp004: 2 packages" in ran.out


def test_pin_in_the_controllers_model_is_told_before_the_last_computes(nodes: Nodes, world: World) -> None:
    ran = nodes("--target", "cmp*", "--yes")
    assert "The model of ctl01.lab.local, ctl02.lab.local pins nova to the release of before" in ran.err
    assert ran.err.count("pins nova to the release") == 1, "only where the controllers come next"
