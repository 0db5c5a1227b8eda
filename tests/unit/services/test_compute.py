"""Agents of computes: which are restarted, how a restart is judged, and what a second call of the same run finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.compute import reconnect, units
from upgrader_node.errors import StepError

NOVA, OVS = "nova-compute", "neutron-openvswitch-agent"


class Cut(BaseException):
    """The call is killed here."""


def next_process(pid: int) -> int:
    return pid + 1


@dataclass
class Node:
    """A node's services: enabled ones, and the process number of each that runs. ``lives``: what a restart leads to."""

    enabled: set[str] = field(default_factory=lambda: {NOVA})
    running: dict[str, int] = field(default_factory=lambda: {NOVA: 10})
    others: set[str] = field(default_factory=set)
    lives: Callable[[int], int | None] = next_process
    believed: bool = True
    restarts: list[str] = field(default_factory=list)
    systemd: bool = True

    def restart(self, name: str) -> bool:
        self.restarts.append(name)
        pid = self.lives(self.running.pop(name, 0))
        if pid is not None:
            self.running[name] = pid
        return self.believed

    @property
    def salt(self) -> dict[str, Any]:
        there = {
            "service.available": lambda name: name in self.enabled | set(self.running) | self.others,
            "service.enabled": lambda name: name in self.enabled,
            "service.status": lambda name: name in self.running,
            "service.restart": self.restart,
        }
        shown = {"service.show": lambda name: {"MainPID": self.running[name], "ExecMainStartTimestampMonotonic": 7}}
        return {**there, **(shown if self.systemd else {})}

    def reconnect(self, folder: Path, *services: str, run: str = "r1", patience: float = 60) -> dict[str, Any]:
        return reconnect.reconnect(self.salt, run, services or (NOVA,), patience, str(folder / "receipts"))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(reconnect.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(reconnect.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    yield now


def test_what_runs_or_starts_at_boot_is_restarted_once_in_a_run(tmp_path: Path) -> None:
    node = Node(enabled={NOVA, OVS})
    answer = node.reconnect(tmp_path, NOVA, OVS)
    assert node.restarts == answer["restarted"] == [NOVA, OVS] and answer["changed"] is True
    again = node.reconnect(tmp_path, NOVA, OVS)
    assert node.restarts == [NOVA, OVS] and again["already"] == [NOVA, OVS] and again["changed"] is False
    assert node.reconnect(tmp_path, NOVA, run="r2")["restarted"] == [NOVA]


def test_only_what_is_named_is_restarted(tmp_path: Path) -> None:
    node = Node(enabled={NOVA, OVS})
    node.reconnect(tmp_path)
    assert node.restarts == [NOVA]


def test_what_is_off_on_purpose_is_left_so_and_what_is_not_there_is_named(tmp_path: Path) -> None:
    node = Node(others={"neutron-l3-agent"})
    answer = node.reconnect(tmp_path, NOVA, "neutron-l3-agent", OVS)
    assert (answer["restarted"], answer["left_alone"], answer["absent"]) == ([NOVA], ["neutron-l3-agent"], [OVS])
    assert answer["comment"] == f"restarted: {NOVA}; not on this node: {OVS}; off and left so: neutron-l3-agent"


def test_a_node_with_none_of_them_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=f"none of {NOVA}, {OVS} is on this node"):
        Node(enabled=set(), running={}).reconnect(tmp_path, NOVA, OVS)


def test_a_service_is_judged_five_seconds_after_it_came_up(tmp_path: Path, clock: list[float]) -> None:
    Node().reconnect(tmp_path)
    assert clock[0] == reconnect.SETTLE


@pytest.mark.parametrize(
    ("lives", "words"),
    [(lambda pid: None, "does not run"), (lambda pid: pid, "still runs by its old process")],
)
def test_one_that_does_not_come_up_or_was_not_restarted_is_a_failure(
    tmp_path: Path, lives: Callable[[int], int | None], words: str
) -> None:
    with pytest.raises(StepError, match=f"{NOVA} was restarted and {words} after 20 s: see 'journalctl -u {NOVA}'"):
        Node(lives=lives).reconnect(tmp_path, patience=20)


def test_one_that_is_started_again_and_again_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, sleep = Node(), reconnect.time.sleep

    def dying(seconds: float) -> None:
        node.running[NOVA] += 1
        sleep(seconds)

    monkeypatch.setattr(reconnect.time, "sleep", dying)
    with pytest.raises(StepError, match="is started again and again after 20 s"):
        node.reconnect(tmp_path, patience=20)


def test_a_restart_that_the_init_system_refuses_is_a_failure_and_is_done_by_the_next_call(tmp_path: Path) -> None:
    node = Node(lives=lambda pid: pid, believed=False)
    with pytest.raises(StepError, match="cannot be restarted"):
        node.reconnect(tmp_path)
    node.believed, node.lives = True, lambda pid: pid + 1
    assert node.reconnect(tmp_path)["restarted"] == [NOVA]


def cut_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Kill the call at its ``number``-th receipt, before that is written."""
    write, left = reconnect.records.write, [number]

    def cut(path: str, receipt: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise Cut
        write(path, receipt)

    monkeypatch.setattr(reconnect.records, "write", cut)


@pytest.mark.parametrize(("number", "restarts"), [(1, 1), (2, 1)])
def test_a_call_that_was_cut_is_taken_up_without_a_second_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, restarts: int
) -> None:
    node = Node()
    with monkeypatch.context() as patched:
        cut_at(patched, number)
        with pytest.raises(Cut):
            node.reconnect(tmp_path)
    node.reconnect(tmp_path)
    assert len(node.restarts) == restarts


def test_one_that_was_cut_before_the_restart_is_restarted(tmp_path: Path) -> None:
    node = Node()
    with pytest.raises(Cut):
        reconnect.reconnect({**node.salt, "service.restart": cut}, "r1", NOVA, 60, str(tmp_path / "receipts"))
    assert node.reconnect(tmp_path)["restarted"] == [NOVA] and node.restarts == [NOVA]


def cut(name: str) -> bool:
    raise Cut


def test_where_there_is_no_systemd_the_init_systems_word_counts(tmp_path: Path) -> None:
    node = Node(systemd=False)
    assert node.reconnect(tmp_path)["restarted"] == [NOVA]
    assert node.reconnect(tmp_path)["already"] == [NOVA]


def test_one_that_was_off_and_starts_at_boot_is_started(tmp_path: Path) -> None:
    assert Node(running={}).reconnect(tmp_path)["restarted"] == [NOVA]


def test_the_receipt_is_readable_by_root_only_and_a_torn_one_is_told(tmp_path: Path) -> None:
    node = Node()
    node.reconnect(tmp_path)
    receipt = tmp_path / "receipts" / "r1.json"
    assert receipt.stat().st_mode & 0o777 == 0o600
    assert json.loads(receipt.read_text())["services"] == {NOVA: {"state": "done", "process": "11@7"}}
    receipt.write_text("{")
    with pytest.raises(StepError, match="cannot be read"):
        node.reconnect(tmp_path)


@pytest.mark.parametrize("services", [(), ["../x"], ["-a"], [7], "a b", ["a\n"]])
def test_what_is_no_name_of_a_service_is_refused(services: Any) -> None:
    with pytest.raises(StepError, match="services must be names like nova-compute"):
        units.plain(services)


def test_a_check_tells_how_services_stand_and_changes_nothing() -> None:
    node = Node(others={OVS})
    answer = units.check(node.salt, "cmp001", [NOVA, OVS, "other"])
    assert answer["services"][NOVA] == {"there": True, "runs": True, "at_boot": True}
    assert answer["services"]["other"] == {"there": False, "runs": False, "at_boot": False}
    assert [(one["severity"], one["what"]) for one in answer["findings"]] == [("warning", f"cmp001 does not run {OVS}")]
    assert "other is not there" in answer["comment"] and node.restarts == []


def test_a_check_of_a_node_without_any_of_them_is_a_blocker() -> None:
    (finding,) = units.check(Node(enabled=set(), running={}).salt, "gtw01", "nova-compute")["findings"]
    assert (finding["severity"], finding["what"]) == ("blocker", "gtw01 has no service nova-compute")
