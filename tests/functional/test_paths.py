"""Echoes on real paths: found by the namespaces, lost when a cable is pulled or a route goes, counted beside the system's own ping."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.paths import choice, control, found, program
from upgrader_node.prober import record

from tests.functional import neutron_world as net
from tests.functional.neutron_world import (
    BEYOND,
    FG,
    FIP,
    FIXED,
    FLOATING,
    LEGACY,
    QDHCP,
    ROUTER,
    SNAT,
    World,
    down_and_up,
    run,
)

INTERVAL = 0.02
STARTS = """\
import json, sys
sys.path.extend(json.loads(sys.argv[1]))
from upgrader_node.paths import choice
choice.start("r1", json.loads(sys.argv[2]), 20, 0.1, "", (), sys.argv[3])
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with net.world(tmp_path / "neutron") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    """Where the programs of this test write; what still lives at its end is stopped."""
    yield str(tmp_path / "path")
    for order in (tmp_path / "path").glob("*.order.json"):
        control.stop(order.name.removesuffix(".order.json"), str(tmp_path / "path"))


def start(folder: str, paths: Any = None, run: str = "r1", hours: float = 0.1) -> Any:
    return choice.start(run, paths, 20, hours, BEYOND, found.INSTANCES, folder)


def awaited(question: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return answer


def process(run: str, folder: str) -> int:
    alive = program.PROGRAM.alive(run, folder)
    assert alive
    return alive.pid


def ours(folder: str) -> list[int]:
    """The programs that work for this folder, by what the kernel says of all processes."""
    there = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if b"upgrader_node.paths.program" in words and folder.encode() in words and b"systemd-run" not in words:
            there.append(int(path.parent.name))
    return there


@contextmanager
def counted(namespace: str, address: str, log: Path) -> Iterator[dict[str, float]]:
    """The other door: the system's own ping at the same pace, with its count of lost echoes and its longest hole between answers."""
    seen: dict[str, float] = {}
    words = ["ip", "netns", "exec", namespace, "ping", "-n", "-D", "-i", str(INTERVAL), address]
    with log.open("w") as out:
        pinging = subprocess.Popen(words, stdout=out)
        yield seen
        pinging.send_signal(signal.SIGINT)
        pinging.wait(timeout=20)
    text = log.read_text()
    sent, received = (int(number) for number in re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())  # type: ignore[union-attr]
    moments = [float(moment) for moment in re.findall(r"^\[([\d.]+)\] \d+ bytes", text, re.M)]
    seen["lost"], seen["gap"] = sent - received, max(b - a for a, b in pairwise(moments))


def path_of(answer: Any, name: str) -> Any:
    (one,) = [one for one in answer["paths"] if one["name"] == name]
    return one


def test_each_class_of_path_is_found_and_answers(world: World) -> None:
    paths = found.on_this_node(BEYOND, found.INSTANCES, str(world.state))
    names = {one.name for one in paths}
    assert names >= {
        f"floating-in {FIP} > {FLOATING}",
        f"floating-out {ROUTER} as {FIXED} > {BEYOND}",
        f"floating-out {net.WITH_FLOATING} > {BEYOND}",
        f"snat {net.WITHOUT} > {BEYOND}",
        f"snat {SNAT} > {BEYOND}",
        f"snat {LEGACY} > {BEYOND}",
        f"same-host {net.WITHOUT} > {FIXED}",
        f"router {net.BEHIND_LEGACY} > 10.1.0.1",
        f"dhcp {QDHCP} > 10.0.0.6",
    }
    # Between two routers there is no way here, as in a cloud: those paths are found and do not answer.
    assert {name for name in control.probe(paths)["dead"] if not name.startswith("routed")} == set()


def test_the_way_of_a_floating_address_is_asked_in_its_instances_name_and_dies_with_its_route(world: World) -> None:
    """Nobody in the router's namespace has a floating address: only a packet of the instance's takes that table."""
    rows = [
        {"class": "floating-out", "namespace": ROUTER, "address": BEYOND, "source": FIXED, "name": "out"},
        {"class": "floating-out", "namespace": net.WITH_FLOATING, "address": BEYOND, "name": "instance"},
        {"class": "floating-in", "namespace": FIP, "address": FLOATING, "name": "in"},
        {"class": "gateway", "namespace": net.WITH_FLOATING, "address": net.GATEWAY, "name": "gateway"},
        {"class": "snat", "namespace": SNAT, "address": BEYOND, "name": "snat"},
    ]
    asked = choice.given_or_found(rows, "", ())
    assert control.probe(asked)["dead"] == []
    down_and_up(FIP, FG)
    assert control.probe(asked)["dead"] == ["out", "instance"]
    world.route_of_floating()
    assert control.probe(asked)["dead"] == []
    net.within(SNAT, "ip", "route", "del", "default")
    told = control.probe(asked)
    assert told["dead"] == ["snat"] and path_of(told, "snat")["why"] == "Network is unreachable"


def test_two_seconds_without_a_cable_are_told_as_the_systems_own_ping_tells_them(
    world: World, folder: str, tmp_path: Path
) -> None:
    answer = start(folder)
    assert answer["changed"] and all(name.startswith("routed") for name in answer["silent"])
    with counted(net.WITH_FLOATING, "10.0.0.6", tmp_path / "ping") as other:
        time.sleep(1)
        began = time.monotonic()
        world.cable(net.WITHOUT, "eth0", "down")
        time.sleep(2)
        world.cable(net.WITHOUT, "eth0", "up")
        away = time.monotonic() - began
        time.sleep(1.5)
        awaited(lambda: not any(one["dead"] for one in control.seen("r1", folder)["classes"].values()))
    told = control.stop("r1", folder)
    cut = path_of(told, f"same-host {net.WITH_FLOATING} > 10.0.0.6")
    # Up to a second more than the cable was out: so often the kernel asks for a neighbour.
    assert 1.9 < cut["longest_seconds"] < away + 1.5 and cut["gaps"] == 1
    assert abs(cut["longest_seconds"] - other["gap"]) < 0.5
    # ping waits for a late answer as long as it lives; ours for a second, and tells late ones beside.
    assert 0.6 < (cut["lost"] + cut["late"]) / other["lost"] < 1.6
    # Packets that waited in the kernel for a neighbour came back late: no loss, and the same two seconds without an answer.
    for name in (f"router {net.WITHOUT} > 10.0.0.1", f"snat {net.WITHOUT} > {BEYOND}"):
        assert 1.8 < path_of(told, name)["longest_seconds"] < away + 1.5
    for name in (f"floating-in {FIP} > {FLOATING}", f"snat {LEGACY} > {BEYOND}", f"snat {SNAT} > {BEYOND}"):
        assert (path_of(told, name)["lost"], path_of(told, name)["dead_seconds"]) == (0, 0)
    assert told["classes"]["floating-in"]["lost"] == 0 and told["classes"]["same-host"]["lost"] > 50
    assert "same-host" in told["comment"] and not told["running"] and told["ended"] == record.STOPPED


def test_a_path_that_is_dead_at_the_end_is_named_with_its_reason(world: World, folder: str) -> None:
    start(folder)
    time.sleep(0.5)
    down_and_up(FIP, FG)
    net.within(SNAT, "ip", "route", "del", "default")
    time.sleep(2)
    told = control.stop("r1", folder)
    dead = [name for one in told["classes"].values() for name in one["dead"]]
    blocked = control.answering("r1", "cmp001", 0, folder)
    assert {one["severity"] for one in blocked["findings"]} == {"blocker"} and set(blocked["dead"]) == set(dead)
    assert f"cmp001 has a dead path: snat {SNAT} > {BEYOND} (Network is unreachable)" in [
        one["what"] for one in blocked["findings"]
    ]
    assert f"floating-out {ROUTER} as {FIXED} > {BEYOND}" in dead and f"snat {SNAT} > {BEYOND}" in dead
    assert f"floating-in {FIP} > {FLOATING}" not in dead and "not answering at the end" in told["comment"]
    assert path_of(told, f"snat {SNAT} > {BEYOND}")["why"] == "Network is unreachable"


def test_a_path_that_needs_a_while_is_waited_for(world: World, folder: str) -> None:
    start(folder)
    world.cable(net.WITHOUT, "eth0", "down")
    assert control.answering("r1", "cmp001", 0, folder)["findings"]
    threading.Timer(1.0, world.cable, (net.WITHOUT, "eth0", "up")).start()
    assert control.answering("r1", "cmp001", 30, folder)["findings"] == []


def test_it_starts_once_and_stops_once(world: World, folder: str) -> None:
    assert start(folder)["changed"]
    pid = process("r1", folder)
    again = start(folder)
    assert not again["changed"] and f"they run already: process {pid}" in again["comment"] and ours(folder) == [pid]
    with pytest.raises(StepError, match=r"run since .* on other paths: upgrader_path\.stop"):
        start(folder, [{"class": "snat", "namespace": LEGACY, "address": BEYOND}])
    first = control.stop("r1", folder)
    assert first["changed"]
    awaited(lambda: ours(folder) == [])
    second = control.stop("r1", folder)
    assert not second["changed"] and [one["sent"] for one in second["paths"]] == [one["sent"] for one in first["paths"]]
    assert {path.stat().st_mode & 0o777 for path in Path(folder).glob("r1.*")} == {0o600}


def test_a_program_that_was_killed_goes_on_in_the_same_file_and_the_hole_is_told(world: World, folder: str) -> None:
    start(folder)
    time.sleep(3)
    os.kill(process("r1", folder), signal.SIGKILL)
    awaited(lambda: not program.PROGRAM.alive("r1", folder))
    dead = control.seen("r1", folder)
    assert not dead["running"] and dead["ended"] == "it was killed, or the node was off"
    time.sleep(1)
    down_and_up(FIP, FG)  # what answered in the beginning is asked on, though it does not any more
    assert start(folder)["changed"]
    time.sleep(1.5)
    told = control.stop("r1", folder)
    assert path_of(told, f"floating-out {ROUTER} as {FIXED} > {BEYOND}")["dead_seconds"] > 0
    assert len(told["not_watched"]) == 1 and told["not_watched"][0]["seconds"] >= 1
    assert "not watched for" in told["comment"]
    assert all(one["sent"] > 100 for one in told["paths"])


def test_a_start_that_dies_with_the_minion_leaves_at_most_one_program_which_the_next_finds(
    world: World, folder: str
) -> None:
    """The caller and all of its group are killed as soon as the order is on disk: no program is there yet, or one begins."""
    paths = [{"class": "router", "namespace": net.WITHOUT, "address": "10.0.0.1"}]
    words = [sys.executable, "-c", STARTS, json.dumps(sys.path), json.dumps(paths), folder]
    for wait in (0.0, 0.1, 0.3, 0.6):
        caller = subprocess.Popen(words, start_new_session=True)
        awaited(lambda: list(Path(folder).glob("r1.order.json")))
        time.sleep(wait)
        os.killpg(caller.pid, signal.SIGKILL)
        caller.wait()
        start(folder, paths)
        assert ours(folder) == [process("r1", folder)]
        time.sleep(0.3)
        told = control.stop("r1", folder)
        assert told["paths"][0]["sent"] > 5
        awaited(lambda: ours(folder) == [])
        for left in Path(folder).glob("r1.*"):
            left.unlink()


def test_it_ends_by_itself_and_leaves_nothing(world: World, folder: str) -> None:
    start(folder, hours=2 / 3600)
    awaited(lambda: not program.PROGRAM.alive("r1", folder))
    told = control.seen("r1", folder)
    assert told["ended"] == "its hours are over" and not told["running"]
    assert all(one["sent"] > 10 for one in told["paths"])


def test_a_namespace_that_is_made_anew_is_asked_anew(world: World, folder: str) -> None:
    """A socket keeps a deleted namespace alive: without looking, echoes would go on in what nobody sees any more."""
    start(folder, [{"class": "router", "namespace": net.WITHOUT, "address": "10.0.0.1", "name": "one"}])
    time.sleep(0.5)
    run("ip", "netns", "delete", net.WITHOUT)
    awaited(lambda: path_of(control.seen("r1", folder), "one")["why"] == "namespace: No such file or directory")
    run("ip", "netns", "add", net.WITHOUT)
    # Where the old one still lives its device still stands at the bridge.
    awaited(lambda: world.ports[(net.WITHOUT, "eth0")] not in net.within(net.SWITCHES, "ip", "link"))
    world.guest(net.WITHOUT, "tenant", "10.0.0.6/24", "10.0.0.1")
    world.do()
    time.sleep(2.5)
    told = path_of(control.stop("r1", folder), "one")
    assert told["lost"] > 20 and told["dead_seconds"] == 0 and told["gaps"] == 1
