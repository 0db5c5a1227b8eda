"""Agents that are older than their code or configuration are restarted, no other one, and Open vSwitch only by name."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.compute import dvr, restart, stale
from upgrader_node.errors import StepError

NOVA, OVS, L3, SWITCH = "nova-compute", "neutron-openvswitch-agent", "neutron-l3-agent", stale.SWITCH


@dataclass
class Node:
    """Services by when their process began (seconds ago), files of packages and configuration below ``root``."""

    root: Path
    running: dict[str, float] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    restarts: list[str] = field(default_factory=list)
    waited: list[str] = field(default_factory=list)
    obeys: bool = True
    systemd: bool = True
    distributed: bool = True
    lays_flows: bool = True

    def show(self, name: str) -> dict[str, Any]:
        began = time.clock_gettime(time.CLOCK_MONOTONIC) - self.running[name]
        return {"MainPID": 1, "ExecMainStartTimestampMonotonic": str(int(began * 1e6) if began > 0 else 1)}

    def hold(self) -> list[dvr.Flow]:
        self.restarts.append("held")
        return [dvr.Flow("br-tun", "1", 1, 7)] if self.distributed else []

    def release(self, held: list[dvr.Flow], patience: float) -> bool:
        self.restarts.append("released")
        return self.lays_flows

    def restart(self, name: str) -> bool:
        self.restarts.append(name)
        if self.obeys:
            self.running[name] = -5.0  # later than every file
        return True

    @property
    def salt(self) -> dict[str, Any]:
        there = {
            "service.available": lambda name: name in {*self.running, *self.stopped},
            "service.enabled": lambda name: name in self.running,
            "service.status": lambda name: name in self.running,
            "service.restart": self.restart,
        }
        return {**there, **({"service.show": self.show} if self.systemd else {})}

    def call(self, *services: str) -> dict[str, Any]:
        def wait(salt: Any, names: list[str], patience: float) -> None:
            self.waited += names

        return restart.restart(self.salt, services, 60, str(self.root), wait, self)

    def package(self, name: str, ago: float) -> None:
        path = self.root / f"var/lib/dpkg/info/{name}.list"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (time.time() - ago, time.time() - ago))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path, {OVS: 100.0, L3: 100.0, NOVA: 100.0, SWITCH: 100.0})
    for name in ("nova-compute", "python-nova", "neutron-common", "openvswitch-switch"):
        made.package(name, 5000)
    return made


def test_nothing_is_restarted_when_nothing_changed(node: Node) -> None:
    done = node.call()
    assert (node.restarts, done["changed"]) == ([], False)
    assert node.waited == [OVS, L3, NOVA]  # but each must run


def test_new_packages_of_a_project_restart_its_agents_alone(node: Node) -> None:
    node.package("nova-common", 50)
    assert node.call()["restarted"] == [NOVA]
    assert node.call()["already"] == [OVS, L3, NOVA]
    assert node.restarts == [NOVA]


def test_a_python_library_restarts_all_agents_in_order_and_never_open_vswitch(node: Node) -> None:
    for name in ("python-oslo.messaging", "openvswitch-common"):
        node.package(name, 50)
    assert node.call()["restarted"] == [OVS, L3, NOVA]
    assert SWITCH not in node.restarts
    assert node.restarts == ["held", OVS, L3, NOVA, "released"]
    assert node.call(SWITCH)["restarted"] == [SWITCH]


def test_changed_configuration_restarts_also_when_it_was_put_back_with_its_old_times(node: Node) -> None:
    conf = node.root / "etc/neutron/l3_agent.ini"
    conf.parent.mkdir(parents=True)
    conf.write_text("[DEFAULT]\n")
    os.utime(conf, (1, 1))
    assert node.call()["restarted"] == [OVS, L3]


def test_one_that_died_is_started_and_one_that_was_switched_off_is_left(node: Node) -> None:
    del node.running[L3]
    node.stopped.add(L3)
    done = node.call()
    assert (done["left_alone"], node.restarts) == ([L3], [])


def test_where_nobody_knows_since_when_it_runs_it_is_restarted(node: Node) -> None:
    node.systemd = False
    assert node.call()["restarted"] == [OVS, L3, NOVA]


def test_a_restart_that_did_not_come_about_is_an_error(node: Node) -> None:
    node.obeys = False
    node.show = lambda name: {"MainPID": 1, "ExecMainStartTimestampMonotonic": "7"}  # type: ignore[method-assign]
    node.package("nova-common", 1)
    with pytest.raises(StepError, match="nova-compute still runs by its old process"):
        node.call(NOVA)


def test_a_node_without_agents_and_a_service_of_nobody_are_refused(node: Node) -> None:
    with pytest.raises(StepError, match="nobody knows of which packages ssh is"):
        node.call("ssh")
    node.running.clear()
    with pytest.raises(StepError, match="none of neutron-openvswitch-agent"):
        node.call()


def test_routing_is_held_only_while_the_agent_of_open_vswitch_starts(node: Node) -> None:
    node.package("nova-common", 50)
    assert (node.call()["routing"], node.restarts) == ("", [NOVA])
    node.distributed = False
    node.package("neutron-common", 50)
    assert (node.call()["routing"], node.restarts) == ("", [NOVA, "held", OVS, L3])


def test_routing_that_is_still_held_is_said(node: Node) -> None:
    node.package("neutron-common", 50)
    node.lays_flows = False
    assert node.call()["routing"].startswith("still held in br-tun")
