"""Which default routes have to be there, by the words of ``ip`` in namespaces as neutron makes them; nothing is asked of a kernel."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.netns import echo, space, state, texts
from upgrader_node.netns.echo import Way
from upgrader_node.netns.space import Space, Spaces
from upgrader_node.netns.texts import Link, Route, Rule
from upgrader_node.paths import choice, control, found, path
from upgrader_node.route import judge, need
from upgrader_node.route.need import Known

ROUTER = "d15a0001-1111-4111-8111-111111111111"
FIP, QROUTER = "fip-e7a1c0de", f"qrouter-{ROUTER}"
TABLE = "2852022899"
MAIN = [Rule(32766, "", "", "main")]


def fip(*routes: Route, rules: bool = True) -> Space:
    links = {"fg-1": Link(True, ["203.0.113.10/24"]), "fpr-d15a0001-1": Link(True, ["169.254.106.115/31"])}
    ruled = [*MAIN, *([Rule(int(TABLE), "", "fpr-d15a0001-1", TABLE)] if rules else [])]
    to_floating = Route("main", "203.0.113.77", "169.254.106.114", "fpr-d15a0001-1")
    return Space(FIP, links, ruled, [to_floating, *routes], {})


def qrouter(*routes: Route) -> Space:
    links = {"qr-4": Link(True, ["10.0.0.1/24"]), "rfp-d15a0001-1": Link(True, ["169.254.106.114/31"])}
    ruled = [*MAIN, Rule(32769, "10.0.0.5", "", "16"), Rule(167772161, "10.0.0.1/24", "", "167772161")]
    return Space(QROUTER, links, ruled, list(routes), {"203.0.113.77": "10.0.0.5"})


def by_name(*spaces: Space) -> Spaces:
    return {one.name: one for one in spaces}


def needs(
    release: str, *spaces: Space, before: tuple[Space, ...] = (), gateways: list[str] | None = None
) -> list[tuple[str, str, str]]:
    """Namespace, table and gateway of each need."""
    known = Known(by_name(*before), gateways, "/no/such/folder")
    return [(one.what, one.table, one.via) for one in need.of(by_name(*spaces), release, known)]


OF_TABLE = Route(TABLE, "default", "203.0.113.1", "fg-1")
OF_MAIN = Route("main", "default", "203.0.113.1", "fg-1")


def test_ocata_wants_a_table_for_each_router_and_mitaka_its_main_one() -> None:
    assert needs("ocata", fip(OF_TABLE)) == [("floating", TABLE, "203.0.113.1")]
    assert needs("mitaka", fip(OF_MAIN)) == [("floating", "main", "203.0.113.1")]


def test_what_an_agent_of_ocata_left_carries_mitakas_packets_as_long_as_it_is_whole() -> None:
    """Behind a way back: the rules and tables of each router stand on in the namespace."""
    assert needs("mitaka", fip(OF_TABLE)) == []
    for broken in (fip(rules=True), fip(OF_TABLE, rules=False)):
        assert needs("mitaka", broken, before=(fip(OF_MAIN),)) == [("floating", "main", "203.0.113.1")]


def test_the_gateway_is_known_by_what_was_or_by_any_table_or_by_neutron() -> None:
    assert needs("ocata", fip(OF_MAIN)) == needs("ocata", fip(), before=(fip(OF_MAIN),)) == [("floating", TABLE, "203.0.113.1")]  # fmt: skip
    assert needs("ocata", fip(), gateways=["192.0.2.1", "203.0.113.254"]) == [("floating", TABLE, "203.0.113.254")]
    assert needs("ocata", fip()) == [("floating", TABLE, "")]
    assert needs("ocata", fip(), gateways=["192.0.2.1"]) == []


def test_without_a_router_or_a_device_outside_nothing_is_needed() -> None:
    for device in ("fg-1", "fpr-d15a0001-1"):
        one = fip(OF_TABLE)
        del one.links[device]
        assert needs("ocata", one) == []


def test_a_distributed_router_never_has_one_in_main() -> None:
    assert needs("ocata", qrouter()) == [("to-snat", "167772161", ""), ("to-floating", "16", "169.254.106.115")]
    shared = Space(f"snat-{ROUTER}", {"sg-6": Link(True, ["10.0.0.254/24"])}, MAIN, [], {})
    assert needs("ocata", qrouter(), shared)[0] == ("to-snat", "167772161", "10.0.0.254")


def missing(now: Spaces, before: Spaces, release: str = "ocata") -> list[judge.Missing]:
    known = Known(before, None, "/no/such/folder")
    return judge.missing(now, need.of(now, release, known), known)


def test_a_missing_route_names_its_router_and_who_is_behind_it() -> None:
    whole = qrouter(
        Route("16", "default", "169.254.106.115", "rfp-d15a0001-1"), Route("167772161", "default", "10.0.0.254", "qr-4")
    )
    now = by_name(fip(), whole)
    (one,) = missing(now, by_name(fip(OF_MAIN)))
    row = one.as_row("cmp001")
    assert (row["router"], row["was_there"], row["hidden"]) == (ROUTER, True, False)
    assert row["floating"] == [{"floating": "203.0.113.77", "fixed": "10.0.0.5"}]
    (told,) = judge.findings("cmp001", [one], {})
    assert told["severity"] == "blocker" and "floating 203.0.113.77 (10.0.0.5)) is cut off" in told["what"]


def test_a_leftover_of_mitakas_hides_an_empty_table() -> None:
    (one,) = missing(by_name(fip(OF_MAIN)), by_name(fip(OF_MAIN)))
    assert one.hidden and "is cut off" not in judge.findings("cmp001", [one], {})[0]["what"]


def test_a_missing_rule_is_told_beside_its_route() -> None:
    (one,) = missing(by_name(fip(OF_TABLE, rules=False)), {})
    assert (one.as_row("n")["missing"], one.as_row("n")["rule"]) == (["rule"], "iif fpr-d15a0001-1")


def test_what_neutron_keeps_on_disk_is_read(tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    folder = str(tmp_path)
    assert (state.highly_available("r", folder), state.gateways("n", folder), state.ports("n", folder)) == ("", [], [])
    write("ha_confs/r/state", "master\n")
    write(
        "dhcp/n/opts", "tag:tag0,option:dns-server,10.0.0.2\ntag:tag0,option:router,10.0.0.1\ntag:tag1,option:router\n"
    )
    write("dhcp/n/host", "fa:16:3e:00:00:05,host-10-0-0-5.openstacklocal,10.0.0.5\nfa:16:3e:00:00:06,set:x,[fe80::6]\n")
    write("fip-priorities", "203.0.113.77,32769\n")
    assert (state.highly_available("r", folder), state.gateways("n", folder)) == ("master", ["10.0.0.1"])
    assert (state.ports("n", folder), state.priorities(folder)) == (["10.0.0.5"], {"203.0.113.77": 32769})


def test_a_namespace_is_the_same_when_it_is_read_from_its_row() -> None:
    assert space.from_row(QROUTER, qrouter(OF_MAIN).as_row()) == qrouter(OF_MAIN)


def test_paths_are_found_by_what_each_namespace_can_ask() -> None:
    guest = Space(
        "i-1", {"eth0": Link(True, ["10.0.0.5/24"])}, MAIN, [Route("main", "default", "10.0.0.1", "eth0")], {}
    )
    known = {QROUTER: ["10.0.0.5", "10.0.0.9"]}
    names = [one.name for one in found.of(by_name(fip(OF_TABLE), qrouter(), guest), known, "198.51.100.1", ("i-*",))]
    assert names == [
        "router i-1 > 10.0.0.1",
        "cross-host i-1 > 10.0.0.9",
        "floating-out i-1 > 198.51.100.1",
        f"floating-in {FIP} > 203.0.113.77",
        f"router {QROUTER} > 10.0.0.5",
        f"router {QROUTER} > 10.0.0.9",
        f"floating-out {QROUTER} as 10.0.0.5 > 198.51.100.1",
    ]
    without = found.of(by_name(fip(OF_TABLE), qrouter(), guest), {}, "", ())
    assert [one.kind for one in without] == ["floating-in", "router"]


def test_of_many_paths_of_a_class_a_few_are_asked() -> None:
    many = found.of(by_name(qrouter()), {QROUTER: [f"10.0.0.{number}" for number in range(2, 200)]}, "", ())
    assert len(many) == found.EACH


def test_of_many_ports_those_that_answer_are_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first ports of a network may be off: they are no reason to ask nobody."""
    candidates = [path.path("dhcp", Way("qdhcp-1", f"10.0.{number // 200}.{number % 200}")) for number in range(300)]
    alive = {one.name for one in candidates[250:280]}
    asked: list[int] = []

    def probe(paths: Sequence[path.Path]) -> dict[str, Any]:
        asked.append(len(paths))
        return {"dead": [one.name for one in paths if one.name not in alive]}

    monkeypatch.setattr(choice.found, "on_this_node", lambda beyond, instances, each: candidates)
    monkeypatch.setattr(choice.control, "probe", probe)
    monkeypatch.setattr(choice.control, "start", lambda run, paths, *more: {"comment": "", "paths": paths})
    answer = choice.start("r1", None, 20, 1, "", (), str(tmp_path))
    assert answer["paths"] == candidates[250:258] and asked == [128, 128, 44]
    assert (answer["silent_count"], len(answer["silent"])) == (270, 20)


def test_an_answer_is_told_by_its_token_and_no_other_packet_is_one() -> None:
    head, body = b"\x45" + b"\0" * 19, struct.pack("!II", 0xDEADBEEF, 7) + echo.PADDING
    answer = head + struct.pack("!BBHHH", 0, 0, 0, 1, 7) + body
    assert echo.answered(answer, 0xDEADBEEF) == 7
    assert echo.answered(answer, 0xDEADBEE0) is None
    assert echo.answered(head + struct.pack("!BBHHH", 8, 0, 0, 1, 7) + body, 0xDEADBEEF) is None
    assert echo.answered(answer[:30], 0xDEADBEEF) is None and echo.answered(b"", 1) is None


@pytest.mark.parametrize("beyond", ["beyond", "fe80::1", "10.0.0"])
def test_beyond_must_be_an_address(beyond: str) -> None:
    with pytest.raises(StepError, match="beyond must be an IPv4 address"):
        choice.find(beyond, ("i-*",))


def test_a_node_without_namespaces_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "FOLDER", str(tmp_path / "netns"))
    folder = str(tmp_path / "path")
    answer = choice.start("r1", None, 20, 1, "198.51.100.1", ("i-*",), folder)
    assert (answer["comment"], answer["changed"]) == ("no path of this node answers", False)
    for again in (control.stop("r1", folder), control.seen("r1", folder)):
        assert again["comment"] == "no path of this node was asked"


@pytest.mark.parametrize(
    ("run", "interval", "hours", "words"),
    [("../x", 20, 1, "no.* plain name"), ("r", 5, 1, "interval_ms"), ("r", 20, 25, "hours"), ("r", 20, 0, "hours")],
)  # fmt: skip
def test_orders_that_cannot_be_are_refused(run: str, interval: int, hours: float, words: str, tmp_path: Path) -> None:
    paths = [{"class": "snat", "namespace": "x", "address": "10.0.0.1"}]
    with pytest.raises(StepError, match=words):
        choice.start(run, paths, interval, hours, "", (), str(tmp_path / "path"))
    assert list(tmp_path.rglob("*.json*")) == []


def test_a_text_of_ip_that_lacks_what_is_always_there_is_no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "within", lambda name, command: "")
    with pytest.raises(StepError, match="'ip' tells neither"):
        space.read("qrouter-1")
    assert texts.MAIN == "main"
