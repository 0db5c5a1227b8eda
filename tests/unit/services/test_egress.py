"""What the upgrade node may reach: from pillar, the minion's options and apt; the rules' text; and the judgement of what was refused."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.copy import allowed, egress, nft, xtables
from upgrader_node.errors import StepError
from upgrader_node.spool import WITHOUT_MASTER

PILLAR: dict[str, Any] = {
    "nova": {"controller": {"database": {"host": "db", "port": 3306, "name": "nova_upgrade"}}},
    "keystone": {"server": {"database": {"host": "db", "name": "keystone_upgrade"}}},
    "glance": {"server": {"database": {"host": "production", "name": "glance"}}},
}
OPTS = {"master": ["salt", "10.0.0.2:14506"], "publish_port": 4505, "master_port": 4506}
ADDRESSES = {"db": ("10.0.0.9",), "salt": ("10.0.0.1", "fd00::1"), "10.0.0.2": ("10.0.0.2",), "mirror": ("10.0.0.3",)}
APT = """
deb [arch=amd64 signed-by=/k] http://mirror:8080/ubuntu xenial main
deb cdrom:[Debian]/ stable main
# deb http://old/ubuntu xenial main
URIs: https://gone.example/debian
Acquire::http::Proxy "http://mirror:3142/";
Acquire::http::Proxy::gone.example "DIRECT";
"""


def ask(host: str) -> tuple[str, ...]:
    if host not in ADDRESSES:
        raise OSError("Name or service not known")
    return ADDRESSES[host]


def places(**more: Any) -> list[egress.Allowed]:
    pillar = {**PILLAR, **more}
    return allowed.places(pillar, OPTS, "nameserver 10.0.0.5\noptions x\n", APT, ask)[0]


def reached(held: list[egress.Allowed]) -> set[tuple[str, str, int]]:
    return {(address, one.protocol, port) for one in held for address in one.addresses for port in one.ports}


def test_the_list_is_the_clones_salt_name_servers_and_packages_and_nothing_else() -> None:
    assert reached(places()) == {
        ("10.0.0.9", "tcp", 3306),
        *((address, "tcp", port) for address in ("10.0.0.1", "fd00::1") for port in (4505, 4506)),
        ("10.0.0.2", "tcp", 4505),
        ("10.0.0.2", "tcp", 14506),
        ("10.0.0.5", "udp", 53),
        ("10.0.0.5", "tcp", 53),
        ("10.0.0.3", "tcp", 8080),
        ("10.0.0.3", "tcp", 3142),
    }


def test_no_salt_master_is_on_the_list_where_there_is_none() -> None:
    held, _ = allowed.places(PILLAR, {"master": "salt", WITHOUT_MASTER: True}, "", "", ask)
    assert reached(held) == {("10.0.0.9", "tcp", 3306)}


def test_a_mirror_without_an_address_is_told_and_stops_nothing() -> None:
    _, told = allowed.places(PILLAR, OPTS, "", APT, ask)
    assert [one["what"] for one in told] == ["names gone.example, which has no address here"]
    assert {one["severity"] for one in told} == {"warning"}


def test_pillar_adds_places() -> None:
    more = {
        "upgrader": {"egress": {"allow": [{"host": "mirror", "ports": [514, 515], "protocol": "udp", "why": "log"}]}}
    }
    assert reached(places(**more)) - reached(places()) == {("10.0.0.3", "udp", 514), ("10.0.0.3", "udp", 515)}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("mirror", "must be a list"),
        ([{"port": 80}], "must be a list, each entry with host"),
        ([{"host": "mirror"}], "must have a port"),
        ([{"host": "mirror", "port": "http"}], "must have a port"),
        ([{"host": "mirror", "port": 70000}], "must have a port"),
        ([{"host": "mirror", "port": 80, "protocol": "sctp"}], "protocol tcp or udp"),
        ([{"host": "mirror", "port": 5672}], "which is a cloud's message queue: a copy must not reach one"),
        ([{"host": "mirror", "ports": [80, "35357"]}], "which is a cloud's identity"),
        ([{"host": "nowhere", "port": 80}], "'nowhere', which has no address here"),
    ],
)
def test_a_place_that_is_none_is_refused_with_its_key(entry: Any, sentence: str) -> None:
    with pytest.raises(StepError, match=sentence) as told:
        places(upgrader={"egress": {"allow": entry}})
    assert "upgrader:egress:allow" in str(told.value)


def test_a_database_server_without_an_address_is_refused_with_its_key() -> None:
    with pytest.raises(StepError, match="pillar nova:controller:database:host names 'lost'"):
        places(nova={"controller": {"database": {"host": "lost", "name": "nova_upgrade"}}})


def test_nftables_lets_out_what_is_listed_refuses_the_rest_and_carries_a_mark_of_the_run() -> None:
    text = nft.rules(places(), "run-1")
    assert 'ip daddr { 10.0.0.9 } tcp dport { 3306 } counter accept comment "the clones database server"' in text
    assert 'ip6 daddr { fd00::1 } tcp dport { 4505, 4506 } counter accept comment "the Salt master"' in text
    assert text.index("update @refused4") > text.index("10.0.0.9")
    assert text.rstrip().splitlines()[-3].strip() == "counter reject with icmpx type admin-prohibited"
    assert f"chain {egress.mark(places(), 'run-1')} {{ }}" in text


def test_iptables_lets_out_the_same_in_each_family_and_counts_the_rest_by_service() -> None:
    four, six = xtables.files(places(), "run-1").values()
    accepted = '-A UPGRADER-EGRESS -d {} -p tcp -m multiport --dports {} -m comment --comment "{}" -j ACCEPT'
    assert accepted.format("10.0.0.9", 3306, "the clones database server") in four
    assert accepted.format("fd00::1", "4505,4506", "the Salt master") in six
    assert "10.0.0.9" not in six and "fd00::1" not in four
    assert (
        '--dport 5672 -m comment --comment "refused tcp 5672 message queue" -j REJECT --reject-with tcp-reset' in four
    )
    assert six.splitlines()[-2].endswith('"refused other 0" -j REJECT --reject-with icmp6-adm-prohibited')
    assert egress.mark(places(), "run-1") in four and egress.mark(places(), "run-1") in six


def test_rules_of_another_run_or_for_other_places_have_another_mark() -> None:
    assert egress.mark(places(), "run-1") == egress.mark(places(), "run-1")
    assert egress.mark(places(), "run-1") != egress.mark(places(), "run-2")
    assert egress.mark(places(), "run-1") != egress.mark(places()[:-1], "run-1")


def test_no_text_from_pillar_becomes_a_rule() -> None:
    sly = egress.Allowed(("10.0.0.3",), "tcp", (80,), 'x" ; accept ; drop # {\n} -j ACCEPT')
    line = next(line for line in nft.rules([sly], "r").splitlines() if "10.0.0.3" in line)
    assert line.strip() == 'ip daddr { 10.0.0.3 } tcp dport { 80 } counter accept comment "x  accept  drop   -j ACCEPT"'
    four = next(iter(xtables.files([sly], "r").values()))
    assert '--comment "x  accept  drop   -j ACCEPT" -j ACCEPT' in four
    assert len([line for line in four.splitlines() if "10.0.0.3" in line]) == 1


MARK = egress.mark((), "run-1")


def kernel(*refused: tuple[str, str, int, int]) -> egress.Seen:
    """As ``nft -j`` 1.0.6 shows the table."""
    elements = [
        {"elem": {"val": {"concat": [address, protocol, port]}, "counter": {"packets": packets, "bytes": 1}}}
        for address, protocol, port, packets in refused
    ]
    rule = {"comment": "the clones", "expr": [{"match": {}}, {"counter": {"packets": 7, "bytes": 9}}, {"accept": None}]}
    items = [
        {"metainfo": {"version": "1.0.6"}},
        {"set": {"name": "refused4", **({"elem": elements} if elements else {})}},
        {"set": {"name": "refused6"}},
        {"chain": {"name": MARK}},
        {"chain": {"name": "output"}},
        {"rule": rule},
        {"rule": {"expr": [{"counter": {"packets": 3, "bytes": 1}}, {"reject": None}]}},
    ]
    return nft.shown({"nftables": items})


def test_nothing_refused_is_told_with_what_was_let_out() -> None:
    told = egress.judge(kernel(), MARK)
    assert told["allowed"] == {"the clones": 7}
    assert told["findings"] == []
    assert told["comment"] == "nothing tried to reach a service of production"


def test_what_is_no_service_of_a_cloud_is_a_warning() -> None:
    told = egress.judge(kernel(("192.0.2.1", "tcp", 443, 2), ("192.0.2.2", "sctp", 0, 1)), MARK)
    assert [one["what"] for one in told["findings"]] == [
        "192.0.2.1 port 443 (tcp) was refused (2 packets)",
        "192.0.2.2, sctp was refused (1 packets)",
    ]


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (("10.0.0.11", "tcp", 5672, 4), r"10.0.0.11 port 5672 \(tcp\), message queue \(4 packets\)"),
        (("10.0.0.11", "tcp", 35357, 1), "identity"),
        (("224.0.0.18", "vrrp", 0, 9), r"224.0.0.18, virtual address \(VRRP\) \(9 packets\)"),
        (("fd00::11", "tcp", 11211, 1), r"\[fd00::11\] port 11211 \(tcp\), cache"),
    ],
)
def test_a_service_of_a_cloud_that_was_tried_is_named_first(refused: tuple[str, str, int, int], sentence: str) -> None:
    with pytest.raises(StepError, match=sentence) as told:
        egress.judge(kernel(("10.0.0.1", "tcp", 443, 2), refused), MARK)
    assert "443" not in str(told.value)


# As iptables-save 1.8.9 shows the chain.
SAVED = """\
*filter
:OUTPUT ACCEPT [5:300]
:UPGRADER-EGRESS - [0:0]
[9:540] -A OUTPUT -j UPGRADER-EGRESS
[9:540] -A UPGRADER-EGRESS -m comment --comment {mark}
[4:240] -A UPGRADER-EGRESS -o lo -m comment --comment "this node itself" -j ACCEPT
[1:60] -A UPGRADER-EGRESS -p udp -m udp --dport 123 -m comment --comment time -j ACCEPT
[2:120] -A UPGRADER-EGRESS -p tcp -m tcp --dport 5672 -m comment --comment "refused tcp 5672 message queue" -j REJECT
[0:0] -A UPGRADER-EGRESS -p tcp -m tcp --dport 35357 -m comment --comment "refused tcp 35357 identity" -j REJECT
[1:20] -A UPGRADER-EGRESS -p 112 -m comment --comment "refused vrrp 0" -j REJECT
[1:60] -A UPGRADER-EGRESS -p tcp -m comment --comment "refused tcp 0" -j REJECT
COMMIT
"""


def test_iptables_own_words_are_judged_the_same() -> None:
    seen = xtables.shown(SAVED.format(mark=MARK))
    assert seen.mark == MARK
    assert seen.allowed == {"this node itself": 4, "time": 1}
    with pytest.raises(StepError, match=r"some address port 5672 \(tcp\), message queue \(2 packets\)") as told:
        egress.judge(seen, MARK)
    assert "virtual address (VRRP) (1 packets)" in str(told.value)
    assert "identity" not in str(told.value)


def test_rules_that_are_gone_or_anothers_prove_nothing() -> None:
    for seen, made in ((None, MARK), (kernel(), egress.mark((), "run-2")), (kernel(), ""), (xtables.shown(""), MARK)):
        with pytest.raises(StepError, match="do not stand any more"):
            egress.judge(seen, made)
