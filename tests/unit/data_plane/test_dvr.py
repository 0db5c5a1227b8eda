"""Distributed routing through a restart of Open vSwitch's agent: which flow is held, and when the copy of it goes. In Open vSwitch's words."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.compute import dvr
from upgrader_node.errors import StepError

DISTRIBUTED = """\
 cookie=0xa3f1c2d4e5b60718, duration=5012.310s, table=0, n_packets=2204, n_bytes=216402, idle_age=1, priority=1,in_port=1 actions=resubmit(,1)
 cookie=0xa3f1c2d4e5b60718, duration=5010.120s, table=0, n_packets=98, n_bytes=9604, priority=1,in_port="vxlan-ac100021" actions=resubmit(,4)
 cookie=0xa3f1c2d4e5b60718, duration=5012.330s, table=0, n_packets=0, n_bytes=0, priority=0 actions=drop
"""
PLAIN = DISTRIBUTED.replace("resubmit(,1)", "resubmit(,2)")
COPY = f" cookie={dvr.COOKIE:#x}, duration=1.0s, table=0, n_packets=0, n_bytes=0, priority=2,in_port=1 actions=resubmit(,1)\n"
ANEW = DISTRIBUTED.replace("0xa3f1c2d4e5b60718", "0xb1")


class Switch:
    """Answers as ovs-vsctl and ovs-ofctl do, with the next of the given flow tables each time br-tun is asked."""

    def __init__(self, *tables: str) -> None:
        self.tables = list(tables)
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, *command: str) -> str:
        self.asked.append(command)
        if command[1] == "list-br":
            return "br-int\nbr-tun\n"
        if command[1] != "dump-flows":
            return ""
        if command[2] != "br-tun":
            return " cookie=0x1, duration=1.0s, table=0, n_packets=0, n_bytes=0, priority=0 actions=NORMAL\n"
        return self.tables.pop(0) if len(self.tables) > 1 else self.tables[0]

    def changes(self) -> list[tuple[str, ...]]:
        return [command for command in self.asked if command[1] in ("add-flow", "del-flows")]


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(*tables: str) -> Switch:
        one = Switch(*tables)
        monkeypatch.setattr(dvr, "_ovs", one)
        monkeypatch.setattr(dvr, "PAUSE", 0.0)
        return one

    return made


def test_copy_stands_before_the_flow_and_goes_once_the_agent_has_laid_its_own(switch: Any) -> None:
    ovs = switch(DISTRIBUTED, DISTRIBUTED + COPY, PLAIN + COPY, ANEW + COPY)
    held = dvr.hold()
    assert held == [dvr.Flow("br-tun", "1", 1, 0xA3F1C2D4E5B60718)]
    flow = f"cookie={dvr.COOKIE:#x},table=0,priority=2,in_port=1,actions=resubmit(,1)"
    assert ovs.changes() == [("ovs-ofctl", "add-flow", "br-tun", flow)]
    assert dvr.release(held, 60.0)
    assert ovs.changes()[1:] == [("ovs-ofctl", "del-flows", "br-tun", f"cookie={dvr.COOKIE:#x}/-1")]
    assert len([one for one in ovs.asked if one[1:3] == ("dump-flows", "br-tun")]) == 4, "not before the agent had"


def test_agent_that_never_lays_it_finds_the_copy_still_there(switch: Any) -> None:
    ovs = switch(PLAIN + COPY)
    assert not dvr.release([dvr.Flow("br-tun", "1", 1, 7)], 0.0)
    assert ovs.changes() == []


def test_copy_of_a_call_that_was_killed_is_not_copied(switch: Any) -> None:
    ovs = switch(DISTRIBUTED + COPY)
    assert [flow.priority for flow in dvr.hold()] == [1]
    assert len(ovs.changes()) == 1


def test_nothing_is_held_where_routers_are_not_distributed(switch: Any) -> None:
    ovs = switch(PLAIN)
    assert dvr.hold() == [] and ovs.changes() == []


def test_ports_by_name_and_the_words_of_newer_switches_are_read() -> None:
    text = ' cookie=0x1f, duration=1.0s, table=0, n_packets=0, n_bytes=0, priority=1,in_port="patch-int" actions=goto_table:1\n'
    assert dvr.told("br-tun", text) == [dvr.Flow("br-tun", "patch-int", 1, 0x1F)]


def test_switch_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StepError, match=r"'false list-br': false ended with exit code 1.*whether Open vSwitch runs"):
        dvr._ovs("false", "list-br")
