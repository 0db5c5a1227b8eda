"""Production made quiet: units stopped in their order and started as they were, ports, connections and queues told by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.service import draining, queue
from upgrader_node.service.draining import Queue
from upgrader_node.window import ports, quiet, stopping

from tests.conftest import SOAK
from tests.support.killed import kill_points
from upgrader.cloud.release import release_path

PATH = release_path("mitaka", "ocata")
ALL = ("keystone", "glance", "nova", "cinder", "neutron", "heat")


class Init:
    """An init system in memory: units by name, active or not; ``stuck`` ones say yes and do nothing."""

    def __init__(self, *active: str, stopped: tuple[str, ...] = (), stuck: tuple[str, ...] = ()) -> None:
        self.units = {**dict.fromkeys(active, True), **dict.fromkeys(stopped, False)}
        self.stuck, self.calls = stuck, []  # type: ignore[var-annotated]

    def salt(self) -> dict[str, Callable[[str], Any]]:
        return {
            "service.available": lambda unit: unit in self.units,
            "service.status": lambda unit: self.units.get(unit, False),
            "service.enabled": lambda unit: unit != "nova-cert",
            "service.stop": lambda unit: self.turn(unit, False),
            "service.start": lambda unit: self.turn(unit, True),
        }

    def turn(self, unit: str, on: bool) -> bool:
        self.calls.append(("start " if on else "stop ") + unit)
        if unit not in self.stuck:
            self.units[unit] = on
        return True


RUNNING = ("keystone", "nova-api", "nova-conductor", "nova-scheduler", "heat-api", "heat-engine", "cinder-volume")


def stop(init: Init, folder: Path, *services: str, without: tuple[str, ...] = ()) -> stopping.Answer:
    wanted = stopping.units(PATH, services or ALL, without)
    return stopping.stop(init.salt(), "run-1", wanted, str(folder), 0.0)


def start(init: Init, folder: Path) -> stopping.Answer:
    return stopping.start(init.salt(), "run-1", str(folder), 0.0)


def test_apis_go_first_identity_last_and_they_come_back_in_reverse(tmp_path: Path) -> None:
    init = Init(*RUNNING, stopped=("nova-cert", "apache2"))
    assert stop(init, tmp_path)["changed"]
    wanted = ["nova-api", "heat-api", "nova-scheduler", "nova-conductor", "cinder-volume", "heat-engine", "keystone"]
    assert init.calls == [f"stop {unit}" for unit in wanted]
    assert start(init, tmp_path)["started"] == wanted[::-1]
    assert not init.units["nova-cert"] and not init.units["apache2"], "what did not run is not started"
    assert not start(init, tmp_path)["changed"]


def test_what_ran_is_written_down_once_and_a_second_call_takes_nothing_away(tmp_path: Path) -> None:
    init = Init(*RUNNING, stopped=("nova-cert",))
    stop(init, tmp_path)
    assert not stop(init, tmp_path)["changed"]
    units = {one["unit"]: one for one in json.loads((tmp_path / "run-1.json").read_text())["units"]}
    assert units["nova-api"] == {"service": "nova", "unit": "nova-api", "active": True, "enabled": True}
    assert (units["nova-cert"]["active"], units["nova-cert"]["enabled"]) == (False, False)


def test_services_of_a_second_call_are_added(tmp_path: Path) -> None:
    init = Init(*RUNNING)
    stop(init, tmp_path, "nova")
    assert init.units["keystone"]
    stop(init, tmp_path, "keystone")
    assert set(start(init, tmp_path)["started"]) == {"keystone", "nova-api", "nova-conductor", "nova-scheduler"}


def test_a_unit_that_is_left_out_goes_on(tmp_path: Path) -> None:
    init = Init(*RUNNING)
    stop(init, tmp_path, without=("keystone",))
    assert init.units["keystone"] and not init.units["nova-api"]


def test_a_unit_that_goes_on_though_it_was_stopped_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="nova-conductor is still active 0 s after it was to be stopped"):
        stop(Init(*RUNNING, stuck=("nova-conductor",)), tmp_path)
    init = Init(*RUNNING)
    stop(init, tmp_path)
    init.stuck = ("keystone",)
    with pytest.raises(StepError, match="keystone is not active 0 s after it was to be started"):
        start(init, tmp_path)


def test_a_stop_that_is_cut_off_anywhere_loses_nothing_of_what_ran(tmp_path: Path) -> None:
    def work() -> object:
        return stop(Init.current, tmp_path)  # type: ignore[attr-defined]

    Init.current = Init(*RUNNING)  # type: ignore[attr-defined]
    count = 0
    for count in kill_points(work, "upgrader_node/window/", 5 if SOAK else 17):  # noqa: B007
        init = Init.current  # type: ignore[attr-defined]
        work()
        assert not any(init.units.values())
        start(init, tmp_path)
        assert all(init.units[unit] for unit in RUNNING)
        (tmp_path / "run-1.json").unlink()
        Init.current = Init(*RUNNING)  # type: ignore[attr-defined]
    assert count > 10


def test_a_look_changes_nothing_and_says_where_a_service_has_no_unit() -> None:
    init = Init(*RUNNING)
    answer = stopping.check(init.salt(), stopping.units(PATH, ALL))
    assert init.calls == [] and answer["units"]["nova-cert"] == {"there": False, "active": False}
    assert [one["subject"] for one in answer["findings"]] == ["glance", "neutron"]
    assert {one["severity"] for one in answer["findings"]} == {"warning"}


def test_services_without_units_in_the_release_path_are_refused() -> None:
    with pytest.raises(StepError, match="has no service panko"):
        stopping.units(PATH, ["panko"])
    bare = PATH._replace(services={"nova": PATH.service("nova")._replace(units={})})
    with pytest.raises(StepError, match="names no units of nova"):
        stopping.units(bare, ["nova"])


def test_a_run_without_a_receipt_starts_nothing(tmp_path: Path) -> None:
    assert start(Init(stopped=("nova-api",)), tmp_path) == {
        "comment": "run run-1 stopped nothing on this node", "changed": False, "started": [],
    }  # fmt: skip


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0  0 1 1 0 100 0 0 10 0
   1: 0B00000A:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0  0 1 1 0 100 0 0 10 0
   2: 0B00000A:1389 0100007F:0016 01 00000000:00000000 00:00000000 00000000   0  0 1 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:2246 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A
"""


def listeners(tmp_path: Path) -> list[ports.Listener]:
    for name, text in (("tcp", TCP), ("tcp6", TCP6)):
        (tmp_path / name).write_text(text)
    return ports.read([str(tmp_path / "tcp"), str(tmp_path / "tcp6")])


def test_listeners_are_read_as_the_kernel_writes_them_and_connections_are_none(tmp_path: Path) -> None:
    assert set(map(str, listeners(tmp_path))) == {"127.0.0.1:3306", "10.0.0.11:5000", "[::]:8774", "[::1]:8080"}


def test_an_address_counts_with_those_that_listen_everywhere(tmp_path: Path) -> None:
    found = listeners(tmp_path)
    assert [str(one) for one in ports.among(found, [3306, 5000, 8774], "10.0.0.11")] == ["10.0.0.11:5000", "[::]:8774"]
    assert ports.among(found, [5001, 9292]) == []


def test_a_node_whose_kernel_does_not_say_is_no_silent_node(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="nobody can say who listens"):
        ports.read([str(tmp_path / "tcp")])


class Member:
    """What each look at a member gives: (rows of connections, position)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *looks: tuple[list[tuple[Any, ...]], int | None]) -> None:
        self.looks, self.clock = list(looks), 0.0
        monkeypatch.setattr(quiet, "look", lambda connection, accounts, at: quiet.Look(*self.next(), at))

    def next(self) -> tuple[list[tuple[Any, ...]], int | None]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def pause(self, seconds: float) -> None:
        self.clock += seconds

    def wait(self, patience: float = 20) -> quiet.Answer:
        return quiet.wait(None, ["nova"], patience, lambda: self.clock, self.pause)


NOVA = ("nova", "10.0.0.11:4711", "Sleep", "nova", 7)


def test_quiet_is_no_connection_and_three_seconds_at_one_position(monkeypatch: pytest.MonkeyPatch) -> None:
    member = Member(monkeypatch, ([NOVA], 10), ([], 11), ([], 12))
    assert member.wait()["position"] == 12
    assert member.clock == 4.0, "the three seconds begin with the last write"


def test_what_is_left_is_named_with_host_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        StepError, match=r"1 connection\(s\) are left .* nova from 10\.0\.0\.11:4711 \(Sleep, database nova, 7 s\)"
    ):
        Member(monkeypatch, ([NOVA], 10)).wait()


def test_a_position_that_moves_is_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[list[tuple[Any, ...]], int | None]] = [([], number) for number in range(100)]
    with pytest.raises(StepError, match=r"position \(\d+ now\) does not stand still within 20 s"):
        Member(monkeypatch, *looks).wait()


def test_a_server_that_stands_alone_has_connections_only(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Member(monkeypatch, ([], None)).wait()
    assert answer["position"] is None and "stands alone" in answer["comment"]


def test_lines_of_old_and_new_queues_are_read_and_anything_else_is_not_passed_over() -> None:
    wanted = [Queue("conductor", 0, 0), Queue("scheduler.ctl01", 3, 1)]
    assert draining.parse("0\t0\t1\tconductor\n3\t1\t1\tscheduler.ctl01\n") == wanted
    new = "messages_ready\tmessages_unacknowledged\tconsumers\tname\n0\t0\t1\tconductor\n3\t1\t1\tscheduler.ctl01\n"
    assert draining.parse("Listing queues ...\n" + new + "...done.\n") == wanted
    with pytest.raises(StepError, match="which is no line of a queue"):
        draining.parse("Error: unable to connect to node\n")


def drained(*looks: list[Queue], ignore: tuple[str, ...] = ()) -> draining.Answer:
    clock, left = [0.0], list(looks)

    def pause(seconds: float) -> None:
        clock[0] += seconds

    return draining.drained(lambda: left.pop(0) if len(left) > 1 else left[0], 5, ignore, lambda: clock[0], pause)


def test_it_is_waited_until_the_work_is_done() -> None:
    answer = drained([Queue("scheduler", 2, 0)], [Queue("scheduler", 0, 1)], [Queue("scheduler", 0, 0)])
    assert answer == {"comment": "1 queues, none with work in it", "queues": 1, "findings": []}


def test_replies_and_fanouts_are_left_out_notifications_are_noted() -> None:
    queues = [Queue("reply_0a1b", 1, 0), Queue("scheduler_fanout_0a1b", 4, 0), Queue("notifications.info", 99, 0)]
    (note,) = drained(queues)["findings"]
    assert (note["severity"], note["subject"]) == ("info", "notifications.info")


def test_what_nobody_reads_is_noted_and_not_waited_for() -> None:
    """Its host is gone for good."""
    (note,) = drained([Queue("scheduler.ctl09", 1, 0, 0), Queue("scheduler.ctl01", 0, 0, 1)])["findings"]
    assert note["subject"] == "scheduler.ctl09"


@pytest.mark.parametrize("name", ["conductor", "q-plugin", "q-reports-plugin"])
def test_what_computes_and_agents_go_on_to_report_does_not_hold_the_window_up(name: str) -> None:
    (note,) = drained([Queue(name, 1, 0)])["findings"]
    assert (note["severity"], note["subject"]) == ("info", name)


def test_queues_with_work_are_named_the_fullest_first_unless_they_are_left_out() -> None:
    queues = [Queue("compute.cmp009", 1, 0), Queue("scheduler", 5, 1)]
    with pytest.raises(
        StepError, match=r"2 queue\(s\) .* 5 s: scheduler \(5 ready, 1 unacknowledged\), compute\.cmp009"
    ):
        drained(queues)
    assert drained(queues, ignore=("compute.cmp009*", "scheduler"))["queues"] == 2


def test_a_queue_that_is_not_there_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(queue.shutil, "which", lambda name: str(tmp_path / name))
    with pytest.raises(StepError, match="this node has no message queue"):
        draining.read("/openstack")
    tool = tmp_path / "rabbitmqctl"
    tool.write_text("#!/bin/sh\nexec sleep 30\n")
    tool.chmod(0o755)
    monkeypatch.setattr(queue, "SECONDS", 0.2)
    with pytest.raises(StepError, match=r"rabbitmqctl list_queues has not ended within 0\.2 s"):
        draining.read("/openstack")
    asked = "-q list_queues -p /openstack messages_ready messages_unacknowledged consumers name"
    tool.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] && printf "0\\t2\\t1\\tconductor\\n"\n')
    assert draining.read("/openstack") == [Queue("conductor", 0, 2)]
