"""Default routes of neutron's namespaces, lost as they are really lost, judged, put back and proven by the system's own ping."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.errors import StepError
from upgrader_node.paths import control as asking
from upgrader_node.paths import program
from upgrader_node.route import control

from tests.conftest import SOAK
from tests.functional import neutron_world as net
from tests.functional.bench import Bench
from tests.functional.neutron_world import (
    BEYOND,
    CENTRAL,
    DISTRIBUTED,
    FG,
    FIP,
    FIXED,
    FLOATING,
    FPR,
    GATEWAY,
    LEGACY,
    LEGACY_QG,
    QDHCP,
    QR,
    RFP,
    ROUTER,
    SHARED_TABLE,
    SNAT,
    SNAT_QG,
    TABLE,
    TAP,
    World,
    answers,
    down_and_up,
    run,
    within,
)  # fmt: skip
from tests.support.killed import kill_points

# Lines from one kill to the next.
STEP = 1 if SOAK else 7
NODE, RUN = "cmp001", "routes-of-the-bench"
BROKEN = "qrouter-b0000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with net.world(tmp_path / "neutron") as made:
        yield made


@pytest.fixture
def routes(world: World, tmp_path: Path) -> Routes:
    return Routes(world, str(tmp_path / "route"))


class Routes:
    """The driver's own functions on this node, as the module calls them, with a folder of the test's."""

    def __init__(self, world: World, folder: str) -> None:
        self.world, self.folder = world, folder
        self.kept = self.record()

    def record(self) -> Any:
        return control.record("r1", NODE, self.folder)

    def judge(self, release: str = "ocata", repair: bool = False, gateways: Any = None, beyond: str = BEYOND) -> Any:
        order = control.Order(NODE, "r1", release, gateways, beyond, 0.0, str(self.world.state))
        return control.judged(order, repair, self.folder)


def stopping(answer: Any) -> list[str]:
    return [one["what"] for one in answer["findings"] if one["severity"] == "blocker"]


def warned(answer: Any) -> list[str]:
    return [one["what"] for one in answer["findings"] if one["severity"] == "warning"]


def missing(answer: Any) -> list[tuple[str, str]]:
    return [(one["namespace"], one["what"]) for one in answer["missing"]]


def test_a_whole_world_misses_nothing_and_the_first_record_of_a_run_stays(routes: Routes) -> None:
    assert routes.kept["changed"] and set(routes.kept["namespaces"]) >= {FIP, ROUTER, SNAT, LEGACY, QDHCP}
    answer = routes.judge()
    assert (answer["missing"], answer["findings"], answer["changed"]) == ([], [], False)
    assert answer["comment"] == "all 6 default routes are there"
    down_and_up(FIP, FG)
    assert routes.record()["changed"] is False
    assert routes.judge()["missing"][0]["was_there"] is True


def test_a_device_that_was_down_costs_floating_addresses_their_way_and_the_gateway_does_not_tell(
    routes: Routes,
) -> None:
    down_and_up(FIP, FG)
    assert answers(net.WITH_FLOATING, GATEWAY) and not answers(net.WITH_FLOATING, BEYOND)
    assert not answers(net.OUTSIDE, FLOATING, "-I", BEYOND)
    answer = routes.judge()
    (one,) = answer["missing"]
    assert (one["node"], one["namespace"], one["router"]) == (NODE, FIP, DISTRIBUTED)
    assert (one["table"], one["device"], one["via"], one["missing"]) == (TABLE, FG, GATEWAY, ["route"])
    assert one["floating"] == [{"floating": FLOATING, "fixed": FIXED}] and not one["hidden"]
    assert len(stopping(answer)) == 1 and FLOATING in stopping(answer)[0] and DISTRIBUTED in stopping(answer)[0]
    assert not answer["changed"] and not answers(net.WITH_FLOATING, BEYOND)


def test_repair_puts_it_back_and_the_world_beyond_answers(routes: Routes) -> None:
    down_and_up(FIP, FG)
    answer = routes.judge(repair=True)
    assert (answer["changed"], answer["missing"], stopping(answer)) == (True, [], [])
    assert [one["namespace"] for one in answer["repaired"]] == [FIP]
    assert answers(net.WITH_FLOATING, BEYOND) and answers(net.OUTSIDE, FLOATING, "-I", BEYOND)
    assert f"default via {GATEWAY} dev {FG}" in within(FIP, "ip", "route", "show", "table", TABLE)
    again = routes.judge(repair=True)
    assert (again["changed"], again["repaired"]) == (False, [])


@pytest.mark.soak
def test_mitakas_route_in_main_hides_an_empty_table(routes: Routes) -> None:
    within(FIP, "ip", "route", "add", "default", "via", GATEWAY, "dev", FG)
    within(FIP, "ip", "route", "flush", "table", TABLE)
    assert answers(net.WITH_FLOATING, BEYOND)
    answer = routes.judge()
    assert answer["missing"][0]["hidden"] and "hangs on an older route in table main" in stopping(answer)[0]
    assert routes.judge(repair=True)["missing"] == []
    within(FIP, "ip", "route", "del", "default")
    assert answers(net.WITH_FLOATING, BEYOND)


def test_at_mitaka_the_route_of_floating_addresses_has_to_be_in_main(routes: Routes) -> None:
    within(FIP, "ip", "rule", "del", "iif", FPR)
    within(FIP, "ip", "route", "flush", "table", TABLE)
    assert not answers(net.WITH_FLOATING, BEYOND)
    assert missing(routes.judge("mitaka")) == [(FIP, "floating")]
    answer = routes.judge("mitaka", repair=True)
    assert answer["missing"] == [] and f"default via {GATEWAY}" in within(FIP, "ip", "route")
    assert answers(net.WITH_FLOATING, BEYOND)
    down_and_up(FIP, FG)
    assert missing(routes.judge("mitaka")) == [(FIP, "floating")]


def test_a_rule_that_is_gone_is_put_back_at_its_priority(routes: Routes) -> None:
    within(FIP, "ip", "rule", "del", "iif", FPR)
    within(ROUTER, "ip", "rule", "del", "from", FIXED)
    answer = routes.judge()
    assert [(one["namespace"], one["rule"], one["missing"]) for one in answer["missing"]] == [
        (FIP, f"iif {FPR}", ["rule"]),
        (ROUTER, f"from {FIXED}", ["rule"]),
    ]
    assert routes.judge(repair=True)["missing"] == [] and answers(net.WITH_FLOATING, BEYOND)
    assert f"{TABLE}:\tfrom all iif {FPR} lookup {TABLE}" in within(FIP, "ip", "rule")
    assert f"32769:\tfrom {FIXED} lookup 16" in within(ROUTER, "ip", "rule")


@pytest.mark.soak
def test_a_rule_whose_priority_only_neutron_knows_is_left_to_its_agent(routes: Routes) -> None:
    within(ROUTER, "ip", "rule", "del", "from", FIXED)
    (routes.world.state / "fip-priorities").unlink()
    answer = routes.judge(repair=True)
    assert missing(answer) == [(ROUTER, "to-floating")] and "restart neutron-l3-agent" in stopping(answer)[0]
    assert "from 10.0.0.5" not in within(ROUTER, "ip", "rule")


def test_every_other_route_is_missed_told_and_put_back(routes: Routes) -> None:
    down_and_up(SNAT, SNAT_QG)
    down_and_up(LEGACY, LEGACY_QG)
    down_and_up(QDHCP, TAP)
    down_and_up(ROUTER, QR)
    down_and_up(ROUTER, RFP)
    answer = routes.judge()
    assert missing(answer) == [
        (QDHCP, "dhcp"), (LEGACY, "external"), (ROUTER, "to-snat"), (ROUTER, "to-floating"), (SNAT, "external"),
    ]  # fmt: skip
    behind = {(one["namespace"], one["what"]): (one["router"], one["networks"]) for one in answer["missing"]}
    assert behind[(SNAT, "external")] == (DISTRIBUTED, ["10.0.0.0/24"])
    assert behind[(LEGACY, "external")] == (CENTRAL, ["10.1.0.0/24"])
    assert answer["missing"][2]["table"] == SHARED_TABLE and answer["missing"][2]["via"] == "10.0.0.254"
    for one in (net.WITHOUT, net.BEHIND_LEGACY, net.WITH_FLOATING):
        assert not answers(one, BEYOND)
    # The agent's route to the floating address is lost with its pair as well, which no default route brings back.
    within(FIP, "ip", "route", "replace", f"{FLOATING}/32", "via", "169.254.106.114", "dev", FPR)
    answer = routes.judge(repair=True)
    assert (answer["missing"], len(answer["repaired"])) == ([], 5), answer
    for one in (net.WITHOUT, net.BEHIND_LEGACY, net.WITH_FLOATING):
        assert answers(one, BEYOND)


def test_a_router_that_stands_by_needs_none_and_an_active_one_does(routes: Routes) -> None:
    within(LEGACY, "ip", "link", "add", "ha-00000008-00", "type", "bridge")
    down_and_up(LEGACY, LEGACY_QG)
    for part, expected in (("backup", []), ("master", [(LEGACY, "external")])):
        routes.world.write(f"ha_confs/{CENTRAL}/state", part)
        assert missing(routes.judge()) == expected
    (routes.world.state / f"ha_confs/{CENTRAL}/state").unlink()
    assert missing(routes.judge()) == [(LEGACY, "external")]
    within(LEGACY, "ip", "addr", "flush", "dev", LEGACY_QG)
    assert missing(routes.judge()) == []


def test_an_external_network_without_gateway_needs_no_route(world: World, tmp_path: Path) -> None:
    down_and_up(FIP, FG)
    down_and_up(SNAT, SNAT_QG)
    down_and_up(LEGACY, LEGACY_QG)
    routes = Routes(world, str(tmp_path / "route"))
    assert missing(routes.judge(gateways=[])) == []
    unsure = routes.judge()
    assert stopping(unsure) == [] and len(warned(unsure)) == 3
    assert "nobody here knows whether its external network has a gateway" in warned(unsure)[0]
    told = routes.judge(gateways=[GATEWAY], repair=True)
    assert (told["missing"], len(told["repaired"])) == ([], 3)
    assert answers(net.WITH_FLOATING, BEYOND) and answers(net.WITHOUT, BEYOND)


@pytest.mark.soak
def test_a_route_over_another_gateway_than_neutrons_is_no_right_one(routes: Routes) -> None:
    within(FIP, "ip", "route", "replace", "default", "via", "203.0.113.9", "dev", FG, "table", TABLE)
    assert missing(routes.judge(gateways=[GATEWAY])) == [(FIP, "floating")]
    assert routes.judge(gateways=[GATEWAY], repair=True)["missing"] == [] and answers(net.WITH_FLOATING, BEYOND)


def test_a_route_that_is_back_and_carries_nothing_stops_the_run(routes: Routes) -> None:
    down_and_up(FIP, FG)
    within(net.OUTSIDE, "ip", "addr", "del", f"{BEYOND}/32", "dev", "lo")
    answer = routes.judge(repair=True)
    assert answer["missing"] == [] and answer["repaired"] == []
    assert "carries nothing: 198.51.100.1 does not answer 10 echoes" in stopping(answer)[0]


def test_what_cannot_be_put_back_is_told_with_its_reason(routes: Routes) -> None:
    within(FIP, "ip", "link", "set", FG, "down")
    answer = routes.judge(repair=True)
    assert missing(answer) == [(FIP, "floating")] and "putting it back failed: " in stopping(answer)[0]
    assert not answer["changed"]


def test_a_namespace_that_nobody_can_look_into_is_not_taken_for_a_whole_one(world: World, tmp_path: Path) -> None:
    remainder = Path("/run/netns") / BROKEN
    remainder.touch()  # what a crash of the node leaves: a name with nothing mounted on it
    try:
        routes = Routes(world, str(tmp_path / "route"))
        assert [one["severity"] for one in routes.kept["findings"]] == ["warning"]
        answer = routes.judge()
        assert len(stopping(answer)) == 1 and f"cannot look into namespace {BROKEN}" in stopping(answer)[0]
    finally:
        remainder.unlink()
    assert stopping(routes.judge()) == []


def test_a_namespace_that_went_and_its_floating_address_are_named(routes: Routes) -> None:
    run("ip", "netns", "delete", FIP)
    answer = routes.judge()
    assert warned(answer)[0] == f"{NODE} no longer has namespace {FIP}"
    within(ROUTER, "iptables", "-t", "nat", "-F", "neutron-l3-agent-PREROUTING")
    assert f"{NODE} no longer carries the floating addresses {FLOATING}" in warned(routes.judge())


def test_without_a_record_nothing_is_judged(world: World, tmp_path: Path) -> None:
    routes = Routes(world, str(tmp_path / "route"))
    os.unlink(tmp_path / "route" / "r1.json")
    with pytest.raises(StepError, match=r"this run has not kept the routes of cmp001: upgrader_route\.record"):
        routes.judge()


def test_a_repair_that_is_killed_anywhere_is_finished_by_the_next(routes: Routes) -> None:
    def broken() -> None:
        within(FIP, "ip", "rule", "del", "iif", FPR)
        down_and_up(FIP, FG)

    broken()
    kills = 0
    for _ in kill_points(lambda: routes.judge(repair=True), "upgrader_node/route/repair.py", STEP):
        kills += 1
        answer = routes.judge(repair=True)
        assert answer["missing"] == [] and stopping(answer) == []
        assert within(FIP, "ip", "rule").count(f"iif {FPR}") == 1
        broken()
    assert kills > 2 and answers(net.WITH_FLOATING, BEYOND)
    assert (Path(routes.folder) / "r1.json").stat().st_mode & 0o777 == 0o600


def test_both_modules_are_loaded_documented_and_work_as_a_minion_calls_them(bench: Bench, world: World) -> None:
    for module in ("upgrader_route", "upgrader_path"):
        documented = bench.call("sys.doc", module)
        assert documented and all("CLI Example" in text for text in documented.values()), documented
    told = {"run": RUN, "release": "ocata", "beyond": BEYOND, "patience": 0, "state": str(world.state)}
    try:
        with pytest.raises(CommandExecutionError, match="this run has not kept the routes of bench"):
            bench.call("upgrader_route.judge", **told)
        assert bench.call("upgrader_route.record", run=RUN)["changed"]
        assert bench.call("upgrader_path.start", run=RUN, beyond=BEYOND)["changed"]
        assert control_group(RUN) != Path("/proc/self/cgroup").read_text()
        down_and_up(FIP, FG)
        dead = bench.call("upgrader_path.probe", beyond=BEYOND)["dead"]
        assert f"floating-out {ROUTER} as {FIXED} > {BEYOND}" in dead
        assert len(stopping(bench.call("upgrader_path.answering", run=RUN, patience=0))) == 2
        assert len(stopping(bench.call("upgrader_route.judge", **told))) == 1
        assert bench.call("upgrader_route.judge", repair=True, **told)["repaired"]
        paths = bench.call("upgrader_path.find", beyond=BEYOND)["paths"]
        silent = bench.call("upgrader_path.probe", paths=paths)["dead"]
        assert [name for name in silent if not name.startswith("routed")] == []
        assert stopping(bench.call("upgrader_path.answering", run=RUN)) == []
        assert bench.call("upgrader_path.summary", run=RUN)["running"]
    finally:
        lost = bench.call("upgrader_path.stop", run=RUN)
        for path in Path("/var/lib/upgrader").glob(f"*/{RUN}*"):
            path.unlink()
    assert lost["classes"]["floating-out"]["lost"] > 0 and lost["classes"]["floating-in"]["lost"] == 0
    with pytest.raises(CommandExecutionError, match="release must be mitaka or ocata, not 'newton'"):
        bench.call("upgrader_route.judge", **{**told, "release": "newton"})


def control_group(run: str) -> str:
    """Where systemd put the program: in a unit of its own, so that it outlives whatever ends with the minion's."""
    alive = program.PROGRAM.alive(run, asking.FOLDER)
    assert alive
    group = Path(f"/proc/{alive.pid}/cgroup").read_text()
    assert f"upgrader-path-{run}.service" in group, group
    return group
