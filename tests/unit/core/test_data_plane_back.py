"""Stages of the data plane that stopped: going on, going back, and hosts that a run which was cut has left out of service."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.support.data_plane import COMPUTES
from tests.unit.core.test_cli import Command, Ran, command, salt  # noqa: F401
from tests.unit.core.test_data_plane_command import FAILED, UPGRADE, Nodes, World, nodes, world  # noqa: F401
from upgrader.plan.step import Call

ONE, TWO, THREE, FOUR = COMPUTES


def test_sample_that_failed_offers_to_go_on_or_back_and_back_it_goes(
    nodes: Nodes, world: World, command: Command
) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    world.bad[UPGRADE, ONE] = FAILED
    ran = nodes("--target", "cmp*", "--yes")
    assert ran.code == 1
    assert "cmp001: dpkg was interrupted" in ran.err.replace("cmp001.lab.local", "cmp001")
    assert "upgrader resume" in ran.err
    assert "or go back with 'upgrader data-plane --stage rollback'" in ran.err
    world.calls.clear()
    back = nodes("--stage", "rollback", "--yes")
    assert back.code == 0, back.err
    assert world.nodes("upgrader_package.restore") == [(ONE,)]
    assert "(sample of cloud lab): left behind" in command("status", re.findall(r"run (\S+) \(sample", ran.err)[0]).out
    assert nodes("--target", "cmp001", "--stage", "sample", "--yes").code == 3, "it has to be tested anew"


def test_way_back_uses_the_runs_own_receipts(nodes: Nodes, world: World) -> None:
    tested = json.loads(nodes("--target", "cmp*", "--stage", "test", "-o", "json").out)["run"]
    sampled = json.loads(nodes("--target", "cmp*", "--stage", "sample", "--yes", "-o", "json").out)["run"]
    world.calls.clear()
    assert nodes("--stage", "rollback", "--yes").code == 0
    given = {call.function: call.args["run"] for call in world.calls if "run" in call.args}
    assert given["upgrader_package.restore"] == tested, "the run under which the sources of before were kept"
    assert given["upgrader_config.restore"] == sampled


def test_sample_that_failed_before_any_package_changed_offers_no_way_back(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    world.bad["upgrader_config.save", ONE] = FAILED
    ran = nodes("--target", "cmp*", "--yes")
    assert ran.code == 1
    assert "rollback" not in ran.err


def test_resume_finishes_a_stage_that_failed(nodes: Nodes, world: World, command: Command) -> None:
    world.bad[UPGRADE, TWO] = FAILED
    ran = nodes("--target", "cmp*", "--yes", "--batch", "2", "--max-failures", "1")
    assert ran.code == 1
    status = command("status")
    assert "cmp002 failed at b1-packages: dpkg was interrupted" in status.out
    assert "batch 1: cmp002, cmp003" in status.out and "1 done, 1 failed" in status.out
    world.bad.clear()
    assert command("resume").code == 0
    assert world.nodes(UPGRADE)[-1] == (TWO,)


def test_unfinished_sample_keeps_the_rest_out(nodes: Nodes, world: World) -> None:
    world.bad[UPGRADE, ONE] = FAILED
    assert nodes("--target", "cmp*", "--yes").code == 1
    ran = nodes("--target", "cmp*", "--yes")
    assert ran.code == 4
    assert "stopped at step packages" in ran.err


def killed_before(world: World, function: str) -> None:
    """The command dies when this would be submitted next."""
    world.salt.die_before = function


def test_hosts_of_a_run_that_was_cut_and_left_behind_are_put_back_by_the_next(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    killed_before(world, "upgrader_config.save")
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes")
    assert ran.code == 130
    run = re.findall(r"of run (\S+);", ran.err)[0]
    world.calls.clear()
    ran = nodes("--target", "cmp*", "--stage", "sample", "--yes", "--restart")
    assert ran.code == 0, ran.err
    assert run in {call.args["run"] for call in world.calls if call.function == "upgrader_agents.enable"}


def test_hosts_that_are_out_of_service_since_a_cut_run_are_named(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    killed_before(world, "upgrader_config.save")
    nodes("--target", "cmp001", "--stage", "sample", "--yes")
    ran = nodes("--target", "cmp002", "--stage", "sample", "--yes", "--restart")
    assert ran.code == 0, ran.err
    assert "cmp001 is out of service since run" in ran.err
    assert "upgrader_agents.enable run=" in ran.err and "hosts='[cmp001]'" in ran.err


def test_way_back_puts_hosts_back_whose_packages_the_run_did_not_come_to(
    nodes: Nodes, world: World, command: Command
) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    assert nodes("--target", "cmp001", "--stage", "sample", "--yes").code == 0
    failed = world.answer

    def dies_in_the_second_batch(call: Call, node: str) -> Mapping[str, Any] | None:
        if call.function == "upgrader_config.save" and node == THREE:
            raise KeyboardInterrupt
        return failed(call, node)

    world.salt.answer = dies_in_the_second_batch
    ran = nodes("--target", "cmp*", "--stage", "all", "--yes", "--batch", "1")
    assert ran.code == 130
    run = re.findall(r"of run (\S+);", ran.err)[0]
    world.salt.answer = world.answer
    world.calls.clear()
    assert nodes("--stage", "rollback", "--yes").code == 0
    assert world.nodes("upgrader_package.restore") == [(TWO,)]
    enabled = [
        (call.args["run"], tuple(call.args["hosts"]))
        for call in world.calls
        if call.function == "upgrader_agents.enable"
    ]
    assert (run, ("cmp003",)) in enabled


def test_older_run_is_not_taken_back_while_a_newer_one_stands_half_way(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    sampled = json.loads(nodes("--target", "cmp*", "--stage", "sample", "--yes", "-o", "json").out)["run"]
    world.bad[UPGRADE, TWO] = FAILED
    assert nodes("--target", "cmp*", "--stage", "all", "--yes").code == 1
    ran = nodes("--stage", "rollback", "--run", sampled, "--yes")
    assert ran.code == 3
    assert "stands half way" in ran.err


def test_run_that_a_gate_refused_keeps_nobody_out(nodes: Nodes, world: World, command: Command) -> None:
    """It changed nothing, so nothing has to be known about it."""
    nodes("--target", ONE, "--stage", "test")
    nodes("--target", ONE, "--stage", "sample", "--yes")
    gate = ("upgrader_agents.may_go_back", "ctl01.lab.local")
    world.bad[gate] = FAILED
    refused = nodes("--stage", "rollback", "--yes")
    assert refused.code == 3 and "nothing was changed" in refused.err
    del world.bad[gate]
    again = nodes("--stage", "rollback", "--yes")
    assert again.code == 0, again.err
    assert "left behind" in command("history").out or "abandoned" in command("history").out


def test_last_compute_is_said_to_be_the_last_before_it_begins(nodes: Nodes, world: World) -> None:
    nodes("--target", "cmp*", "--stage", "test")
    assert "nothing leads back" not in nodes("--target", "cmp*", "--stage", "sample", "--yes").err
    assert "behind the last one nothing leads back" in nodes("--target", "cmp*", "--stage", "all", "--yes").err
