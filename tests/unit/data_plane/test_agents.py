"""Agents as a controller sees them, against a cloud that keeps its lists in tables: switched, judged, moved, closed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.agents import ask, closing, evacuating, judging, looking, moving, session, switching, versions
from upgrader_node.errors import StepError
from upgrader_node.verify import ask as verify_ask
from upgrader_node.verify import client
from upgrader_node.verify.client import CallFailed

HOSTS = ["cmp001", "cmp002"]


class Cloud(client.Client):
    """nova, neutron and placement. ``deaf``: orders are taken and nothing comes of them. ``cut``: the call dies after so many changes."""

    def __init__(self) -> None:
        self.order = {}
        self.services = {host: {"up": True, "enabled": True, "reason": None} for host in HOSTS}
        self.agents = {
            f"{binary}@{host}": {"binary": binary, "host": host, "alive": True, "up": True, "mode": mode}
            for host, binary, mode in (
                ("cmp001", "neutron-openvswitch-agent", ""), ("gtw01", moving.L3, "dvr_snat"), ("gtw02", moving.L3, "dvr_snat"),
                ("gtw03", moving.L3, "legacy"), ("cmp001", moving.L3, "dvr"), ("gtw01", moving.DHCP, ""), ("gtw02", moving.DHCP, ""),
            )
        }  # fmt: skip
        self.routers = {"r-legacy": {}, "r-dvr": {"distributed": True}, "r-ha": {"ha": True}}
        self.hosted = {
            **{router: {f"{moving.L3}@gtw01"} for router in self.routers},
            "n-one": {f"{moving.DHCP}@gtw01"},
            "n-two": {f"{moving.DHCP}@gtw01", f"{moving.DHCP}@gtw02"},
        }
        self.servers = {"i1": ["cmp001", "ACTIVE", "active", 1], "i2": ["cmp002", "SHUTOFF", "stopped", 4]}
        self.providers = {"cmp001.lab": "p1", "cmp002.lab": "p2"}
        self.held = {"p1": ["i1"], "p2": ["i2"]}
        self.course: list[tuple[str, str]] = []
        self.deaf = False
        self.cut = 99
        self.changes: list[str] = []

    def pages(self, resource: Any) -> list[Any]:
        host = re.search(r"&host=([^&]+)", resource.path)
        names = ("OS-EXT-SRV-ATTR:host", "status", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state")
        rows = [{"id": one, **dict(zip(names, held, strict=True))} for one, held in self.servers.items()]
        return [one for one in rows if not host or one[names[0]] == host.group(1)]

    def call(self, method: str, kind: str, path: str, timeout: float, body: Any = None, **more: Any) -> Any:
        if method != "GET":
            self.cut -= 1
            if self.cut < 0:
                raise KeyboardInterrupt
            self.changes.append(f"{method} {path}")
            if self.deaf:
                return None
        return getattr(self, f"_{kind}")(method, path, body)

    def _compute(self, method: str, path: str, body: Any) -> Any:
        if method == "PUT":
            enabled = path.endswith("/enable")
            self.services[body["host"]].update(enabled=enabled, reason=None if enabled else body["disabled_reason"])
            assert body["binary"] == "nova-compute"
            return None
        if path.startswith("/servers/"):
            return self._server(method, path.split("/")[2], body)
        if path.startswith("/os-hypervisors"):
            return {"hypervisors": [{"service": {"host": h}, "hypervisor_hostname": f"{h}.lab"} for h in self.services]}
        return {"services": [
            {"binary": "nova-compute", "host": host, "state": "up" if one["up"] else "down",
             "status": "enabled" if one["enabled"] else "disabled", "disabled_reason": one["reason"]}
            for host, one in self.services.items()
        ] + [{"binary": "nova-conductor", "host": "cmp001", "state": "down", "status": "enabled"}]}  # fmt: skip

    def _server(self, method: str, identity: str, body: Any) -> Any:
        """Each look at a server that migrates goes one step on in ``course``: its status and its host."""
        if method == "POST":
            if identity == "i-stuck":
                raise CallFailed("HTTP 400: No valid host")
            assert body == {"os-migrateLive": {"host": None, "block_migration": "auto"}}
            self.servers[identity][1] = "MIGRATING"
            return None
        held = self.servers[identity]
        if held[1] == "MIGRATING" and self.course:
            held[1], held[0] = self.course.pop(0)
        return {"server": {"status": held[1], "OS-EXT-SRV-ATTR:host": held[0]}}

    def _placement(self, method: str, path: str, body: Any) -> Any:
        if path.endswith("/allocations"):
            return {"allocations": {one: {} for one in self.held[path.split("/")[2]]}}
        name = path.partition("?name=")[2]
        found = [{"name": n, "uuid": u} for n, u in self.providers.items() if not name or n == name]
        return {"resource_providers": found}

    def _network(self, method: str, path: str, body: Any) -> Any:
        words = path.split("/")[2:]
        if words == ["agents"]:
            return {"agents": [self._agent(one) for one in self.agents]}
        if words[0] in ("routers", "networks"):
            return {"agents": [self._agent(one) for one in sorted(self.hosted[words[1]])]}
        agent, kind = words[1], words[2]
        if method == "GET":
            return {
                kind.split("-")[1]: [
                    {"id": one, **self.routers.get(one, {})} for one in sorted(self.hosted) if agent in self.hosted[one]
                ]
            }
        item = words[3] if method == "DELETE" else next(iter(body.values()))
        (self.hosted[item].discard if method == "DELETE" else self.hosted[item].add)(agent)
        return None

    def _agent(self, identity: str) -> Any:
        one = self.agents[identity]
        return {
            "id": identity, "binary": one["binary"], "host": one["host"], "alive": one["alive"], "admin_state_up": one["up"],
            "configurations": {"agent_mode": one["mode"]} if one["mode"] else {},
        }  # fmt: skip


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def door(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ask.Door:
    """The module's side of it, with a session that asks this cloud instead of running a program."""

    def answered(pillar: Any, asked: Any, yaml: Any, program: str, more: Any) -> Any:
        order = json.loads(json.dumps({**more, "patience": 60, "without": list(asked.without)}))
        return json.loads(json.dumps(session.WORK[order["what"]](cloud, order)))

    monkeypatch.setattr(verify_ask, "in_session", answered)
    return ask.Door({}, verify_ask.Asked("", "", True, 0, 9), None, str(tmp_path / "agents"))


def test_a_host_is_disabled_with_the_runs_own_reason_and_enabled_again(cloud: Cloud, door: ask.Door) -> None:
    assert ask.disable(door, "r1", ["cmp001.lab.local"], "upgrade\nto Ocata")["disabled"] == ["cmp001.lab.local"]
    assert cloud.services["cmp001"] == {"up": True, "enabled": False, "reason": "upgrader r1: upgrade to Ocata"}
    assert cloud.services["cmp002"]["enabled"]
    assert not ask.disable(door, "r1", ["cmp001"], "again")["changed"]
    assert ask.enable(door, "r1", HOSTS)["enabled"] == ["cmp001"]
    assert not ask.enable(door, "r1", HOSTS)["changed"]
    assert cloud.services["cmp001"]["enabled"]


def test_one_that_an_operator_or_another_run_disabled_is_left(cloud: Cloud, door: ask.Door) -> None:
    cloud.services["cmp001"].update(enabled=False, reason="broken fan")
    ask.disable(door, "r10", ["cmp002"], "")
    assert ask.disable(door, "r1", HOSTS, "")["left"] == HOSTS
    done = ask.enable(door, "r1", HOSTS)
    assert (done["enabled"], len(done["left"]), done["findings"][0]["severity"]) == ([], 2, "warning")
    assert cloud.services["cmp001"]["reason"] == "broken fan"


def test_an_order_that_nothing_comes_of_is_an_error(cloud: Cloud) -> None:
    cloud.deaf = True
    with pytest.raises(CallFailed, match="nova-compute of cmp001 is not disabled though nova took the order"):
        switching.disable(cloud, ["cmp001"], "r1", "")


def test_a_gateway_has_nothing_to_disable(door: ask.Door) -> None:
    assert ask.disable(door, "r1", ["gtw01"], "")["absent"] == ["gtw01"]
    assert not ask.enable(door, "r1", ["gtw01"])["changed"]


def proven(door: ask.Door, *hosts: str, versions: dict[str, int] | None = None, version: int = 16) -> Any:
    found = dict.fromkeys(HOSTS, 16) if versions is None else versions
    return ask.proven(door, "r1", list(hosts or HOSTS), version, lambda: found)


def blockers(answer: Any) -> dict[str, str]:
    """Host to what stops it."""
    return {one["subject"]: one["what"] for one in answer["findings"] if one["severity"] == "blocker"}


def test_hosts_that_are_as_before_are_proven(door: ask.Door) -> None:
    assert ask.record(door, "r1", [*HOSTS, "gtw01"])["instances"] == {"cmp001": 1, "cmp002": 1, "gtw01": 0}
    done = proven(door, *HOSTS, "gtw01")
    assert done["findings"] == [] and done["instances"] == {"cmp001": 1, "cmp002": 1, "gtw01": 0}
    assert ask.last_proven(door, "r1") > 0 == ask.last_proven(door, "r2")


def test_what_was_recorded_first_stays(cloud: Cloud, door: ask.Door) -> None:
    ask.record(door, "r1", ["cmp001"])
    cloud.servers["i1"][1:] = ["ERROR", "error", 4]
    assert not ask.record(door, "r1", ["cmp001"])["changed"]
    assert "instance i1 has status ERROR instead of ACTIVE" in blockers(proven(door, "cmp001"))["cmp001"]


@pytest.mark.parametrize(
    ("spoil", "versions", "says"),
    [
        (lambda c: c.services["cmp001"].update(up=False), None, "cmp001: nova-compute is down"),
        (lambda c: c.services.pop("cmp001"), None, "cmp001: nova-compute is in nova's list no more"),
        (lambda c: None, {"cmp001": 9, "cmp002": 16}, "nova-compute is at service version 9 instead of 16"),
        (lambda c: None, {}, "at service version None instead of 16"),
        (lambda c: c.providers.pop("cmp001.lab"), None, "cmp001: it has no resource provider"),
        (
            lambda c: c.agents["neutron-openvswitch-agent@cmp001"].update(alive=False),
            None,
            "neutron-openvswitch-agent is not alive",
        ),
        (lambda c: c.agents.pop("neutron-openvswitch-agent@cmp001"), None, "is in neutron's list no more"),
        (lambda c: c.servers["i1"].__setitem__(3, 4), None, "instance i1 has power_state 4 instead of 1"),
    ],
)
def test_what_is_not_as_before_is_said_of_its_host(
    cloud: Cloud, door: ask.Door, spoil: Any, versions: Any, says: str
) -> None:
    ask.record(door, "r1", HOSTS)
    spoil(cloud)
    assert says in blockers(proven(door, versions=versions))["cmp001"]


def test_a_host_that_is_not_as_before_does_not_speak_for_the_others(cloud: Cloud, door: ask.Door) -> None:
    ask.record(door, "r1", HOSTS)
    cloud.services["cmp001"].update(up=False)
    assert set(blockers(proven(door))) == {"cmp001"}
    assert set(ask._receipt(door, "r1")[1]["proven"]) == {"cmp002"}


def test_an_agent_that_was_dead_or_disabled_before_is_nobodys_loss(cloud: Cloud, door: ask.Door) -> None:
    cloud.agents["neutron-openvswitch-agent@cmp001"].update(alive=False)
    ask.record(door, "r1", HOSTS)
    proven(door)


def test_an_instance_that_its_user_deleted_is_a_warning(cloud: Cloud, door: ask.Door) -> None:
    ask.record(door, "r1", HOSTS)
    del cloud.servers["i1"]
    cloud.servers["new"] = ["cmp001", "BUILD", "building", 0]
    assert proven(door)["findings"][0]["what"] == "1 instance(s) are there no more: i1 of cmp001"


def test_a_compute_that_went_back_needs_no_provider(cloud: Cloud, door: ask.Door) -> None:
    ask.record(door, "r1", HOSTS)
    cloud.providers.clear()
    proven(door, versions={"cmp001": 9, "cmp002": 9}, version=9)


def test_hosts_that_nobody_knows_or_recorded_are_refused(door: ask.Door) -> None:
    with pytest.raises(StepError, match="lists anything on cmp009"):
        ask.record(door, "r1", ["cmp001", "cmp009"])
    with pytest.raises(StepError, match="recorded nothing of cmp001"):
        proven(door, "cmp001")
    for wrong in ("cmp001", [], [""], [1]):
        with pytest.raises(StepError, match="must be a list of names of hosts"):
            ask.demand_hosts(wrong)


def test_a_gateway_is_emptied_as_far_as_others_can_take_it_and_filled_again(cloud: Cloud, door: ask.Door) -> None:
    before = {one: set(held) for one, held in cloud.hosted.items()}
    done = ask.move(door, "r1", "gtw01.lab.local")
    assert sorted(done["moved"]) == ["n-one", "r-dvr", "r-legacy"]
    assert cloud.hosted["r-dvr"] == {f"{moving.L3}@gtw02"}  # the only one of its mode
    assert cloud.hosted["r-ha"] == before["r-ha"] and cloud.hosted["n-two"] == before["n-two"]
    assert cloud.hosted["n-one"] == {f"{moving.DHCP}@gtw02"}
    assert not ask.move(door, "r1", "gtw01.lab.local")["changed"]
    assert ask.back(door, "r1", "gtw01.lab.local")["changed"]
    assert cloud.hosted == before
    assert not ask.back(door, "r1", "gtw01.lab.local")["changed"]
    assert not ask.back(door, "r2", "gtw01.lab.local")["changed"]


def test_what_no_other_agent_takes_stays_and_is_told(cloud: Cloud, door: ask.Door) -> None:
    cloud.agents[f"{moving.L3}@gtw02"]["alive"] = False
    found = ask.move(door, "r1", "gtw01")["findings"]
    assert (
        found[0]["severity"] == "warning" and "router r-dvr" in found[0]["what"] and "r-legacy" not in found[0]["what"]
    )


@pytest.mark.parametrize("cut", range(6))
def test_a_move_that_was_cut_anywhere_is_carried_on_and_goes_back(cloud: Cloud, door: ask.Door, cut: int) -> None:
    before = {one: set(held) for one, held in cloud.hosted.items()}
    cloud.cut = cut
    with pytest.raises(KeyboardInterrupt):
        ask.move(door, "r1", "gtw01")
    cloud.cut = 99
    ask.move(door, "r1", "gtw01")
    assert all(f"{moving.L3}@gtw01" not in cloud.hosted[one] for one in ("r-dvr", "r-legacy"))
    ask.back(door, "r1", "gtw01")
    assert cloud.hosted == before


def test_a_move_that_neutron_does_not_carry_out_is_an_error(cloud: Cloud, door: ask.Door) -> None:
    cloud.deaf = True
    with pytest.raises(CallFailed, match="did not move from agent"):
        ask.move(door, "r1", "gtw01")


def closed(door: ask.Door, versions: dict[str, int] | None = None, began: float | None = None) -> Any:
    there = {"service.available": lambda name: began is not None, "service.status": lambda name: True}
    shown = {
        "service.enabled": lambda name: True,
        "service.show": lambda name: {"MainPID": 1, "ExecMainStartTimestampMonotonic": "5"},
    }
    return closing.closed(door, "r1", {**there, **shown}, 16, lambda: versions or dict.fromkeys(HOSTS, 16))


def test_a_data_plane_whose_computes_and_instances_placement_knows_is_closed(cloud: Cloud, door: ask.Door) -> None:
    cloud.held["p1"].append("deleted-long-ago")
    cloud.providers["gone.lab"] = "p3"
    cloud.held["p3"] = []
    answer = closed(door)
    assert (answer["computes"], answer["instances"]) == (2, 2)
    assert answer["findings"][0]["rows"] == [
        "provider gone.lab is of no compute", "allocations of deleted-long-ago on cmp001.lab are of no instance",
    ]  # fmt: skip


def test_what_placement_does_not_know_and_a_compute_that_is_behind_are_refused(cloud: Cloud, door: ask.Door) -> None:
    cloud.held["p1"].clear()
    del cloud.providers["cmp002.lab"]
    with pytest.raises(StepError) as caught:
        closed(door, {"cmp001": 16, "cmp003": 9})
    for words in (
        "cmp003 (9) is below service version 16",
        "compute cmp002 has no resource provider",
        "instance i1 has no allocations",
    ):
        assert words in str(caught.value)


def test_a_scheduler_that_is_older_than_the_last_proof_is_refused(door: ask.Door) -> None:
    ask.record(door, "r1", HOSTS)
    proven(door)
    with pytest.raises(StepError, match="does not ask placement: restart it on every controller"):
        closed(door, began=1.0)


def test_looking_takes_names_with_and_without_domain(cloud: Cloud) -> None:
    found = looking.look(cloud, ["cmp001.lab.local"])
    assert found["cmp001.lab.local"]["provider"] == "p1" and list(found["cmp001.lab.local"]["servers"]) == ["i1"]
    assert judging.judge(found, found, {"cmp001": 16}, 16).wrong == []


@pytest.mark.parametrize(
    ("found", "blockers"),
    [
        ({"cmp001": 16, "cmp002": 9}, 0),
        ({"cmp001": 9, "cmp002": 16}, 0),
        ({"cmp001": 16, "cmp002": 16}, 1),
        ({"cmp002": 16}, 0),
    ],
)
def test_the_last_compute_of_the_source_release_is_the_last_moment_to_go_back(
    found: dict[str, int], blockers: int
) -> None:
    """nova/objects/service.py: a service that is older than all others of its kind raises ServiceTooOld at its start."""
    told = versions.may_go_back(lambda: found, ["cmp001.lab.local"], 16)["findings"]
    assert len(told) == blockers and all("cmp001" in one["what"] for one in told)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(evacuating.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(evacuating.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def test_running_instances_go_elsewhere_and_what_cannot_stays_and_is_named(
    cloud: Cloud, door: ask.Door, quick: None
) -> None:
    cloud.servers["i-stuck"] = ["cmp001", "ACTIVE", "active", 1]
    cloud.servers["i-off"] = ["cmp001", "SHUTOFF", "stopped", 4]
    cloud.course = [("MIGRATING", "cmp001"), ("ACTIVE", "cmp002")]
    ask.record(door, "r1", ["cmp001"])
    done = ask.evacuate(door, "r1", "cmp001.lab.local")
    assert done["moved"] == {"i1": "cmp002"}
    assert "i-stuck (HTTP 400: No valid host)" in done["comment"] and done["findings"][0]["severity"] == "warning"
    assert "i-off" not in str(done)
    assert proven(door, "cmp001")["findings"] == []  # the one that went is no loss


def test_an_instance_that_nova_gave_up_to_migrate_stays(cloud: Cloud, quick: None) -> None:
    cloud.course = [("MIGRATING", "cmp001"), ("ACTIVE", "cmp001")]
    assert evacuating.evacuate(cloud, "cmp001", 60)["stays"] == ["i1 (nova did not take it elsewhere, it is ACTIVE)"]


def test_a_migration_that_a_cut_call_began_is_waited_for_and_one_that_does_not_end_stops(
    cloud: Cloud, quick: None
) -> None:
    cloud.servers["i1"][1] = "MIGRATING"
    with pytest.raises(CallFailed, match="i1 has not left cmp001 within 60 s"):
        evacuating.evacuate(cloud, "cmp001", 60)
    cloud.course = [("ACTIVE", "cmp002")]
    assert evacuating.evacuate(cloud, "cmp001", 60)["moved"] == {"i1": "cmp002"}
    assert cloud.changes == []


def test_a_host_without_nova_compute_has_nothing_to_evacuate(cloud: Cloud) -> None:
    assert evacuating.evacuate(cloud, "gtw01", 60) == {"moved": {}, "stays": []}
