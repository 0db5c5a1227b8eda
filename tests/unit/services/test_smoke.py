"""A server's life on the upgraded cloud, and the agents that are up, against an API that keeps servers in a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.smoke import ask as smoke
from upgrader_node.smoke import choice, server, services, session
from upgrader_node.verify import ask, client
from upgrader_node.verify.client import CallFailed

NAME = "upgrader-smoke-r1"


def image(name: str, size: int | None, **more: Any) -> dict[str, Any]:
    base = {"id": "i-" + name, "name": name, "size": size, "status": "active", "visibility": "public"}
    return {**base, "disk_format": "qcow2", "container_format": "bare", "min_ram": 0, "min_disk": 0, **more}


def flavor(name: str, ram: int, disk: int = 0, public: bool = True, disabled: bool = False) -> dict[str, Any]:
    sizes = {"id": "f-" + name, "name": name, "ram": ram, "vcpus": 1, "disk": disk}
    return {**sizes, "os-flavor-access:is_public": public, "OS-FLV-DISABLED:disabled": disabled}


class Nova(client.Client):
    """A cloud. Each look at a server goes one step on in ``course``; each after its deletion one step on in ``ends``."""

    def __init__(self) -> None:
        self.images = [image("big", 900), image("small", 10), image("kernel", 1, disk_format="aki")]
        self.flavors = [flavor("m1", 512, 1), flavor("tiny", 64), flavor("secret", 1, public=False)]
        self.networks = [{"id": "n-1", "name": "net"}, {"id": "n-2", "name": "twice"}, {"id": "n-3", "name": "twice"}]
        self.services = [{"binary": "nova-compute", "host": "cmp001", "zone": "az1"}]
        self.course: list[Any] = ["BUILD", "BUILD", "ACTIVE"]
        self.ends: list[Any] = ["ACTIVE", 404]
        self.servers: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.refused: Callable[[str, Any], CallFailed | None] = lambda path, body: None

    def pages(self, resource: Any) -> list[Any]:
        return list(getattr(self, resource.key))

    def call(self, method: str, kind: str, path: str, timeout: float, body: Any = None, **more: Any) -> Any:
        self.asked.append((method, path))
        if refusal := self.refused(f"{method} {path}", body):
            raise refusal
        if path.startswith("/os-services"):
            return {"services": self.services}
        if path.startswith("/servers/detail"):
            return {"servers": list(self.servers.values())}
        if method == "POST" and path == "/servers":
            self.bodies.append(body["server"])
            self.headers.append(more.get("headers"))
            self.servers["s1"] = {"id": "s1", "name": body["server"]["name"]}
            return {"server": {"id": "s1"}}
        return self._of_server(method, path.split("/")[2], path)

    def _of_server(self, method: str, identity: str, path: str) -> Any:
        if identity not in self.servers:
            raise CallFailed(f"HTTP 404 of {method} {path}: not found", 404)
        held = self.servers[identity]
        if method == "DELETE":
            held["deleting"] = True
            return None
        if path.endswith("/action"):
            self.ends = [404]
            return None
        steps = self.ends if held.get("deleting") else self.course
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if step == 404:
            del self.servers[identity]
            raise CallFailed(f"HTTP 404 of {method} {path}: not found", 404)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, dict):
            return {"server": {**held, **step}}
        task = "spawning" if step == "BUILD" else None
        host = {"OS-EXT-SRV-ATTR:host": None if step == "BUILD" else "cmp001"}
        return {"server": {**held, "status": step, "OS-EXT-STS:task_state": task, **host}}


@pytest.fixture
def nova() -> Nova:
    return Nova()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(server.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(server.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    yield now


def order(**named: str) -> dict[str, Any]:
    return {"image": "", "flavor": "", "network": "", "host": "", **named}


def lived(nova: Nova, patience: float = 30, **named: str) -> dict[str, Any]:
    return server.lived(nova, choice.of(nova, order(**named)), NAME, patience)


def test_a_server_is_made_read_at_once_waited_for_and_deleted(nova: Nova) -> None:
    answer = lived(nova)
    assert nova.servers == {} and answer["host"] == "cmp001"
    assert [(one["state"], one["seconds"]) for one in answer["states"]] == [
        ("BUILD (spawning)", 0.0),
        ("ACTIVE", 0.5),
        ("gone", 1.0),
    ]
    methods = [method for method, path in nova.asked if path.startswith("/servers")]
    assert methods[:2] == ["POST", "GET"] and methods.count("DELETE") == 1


def test_without_a_name_the_smallest_that_fit_are_taken_and_no_network(nova: Nova) -> None:
    lived(nova)
    assert nova.bodies == [{"name": NAME, "imageRef": "i-small", "flavorRef": "f-tiny", "networks": "none"}]
    assert nova.headers == [{"X-OpenStack-Nova-API-Version": "2.37"}]


def test_an_api_before_newton_is_asked_without_networks(nova: Nova) -> None:
    nova.refused = lambda call, body: (
        CallFailed("HTTP 406", 406) if call == "POST /servers" and "networks" in body["server"] else None
    )
    lived(nova)
    assert "networks" not in nova.bodies[0] and nova.headers == [{}]


def network(identity: str, **more: Any) -> dict[str, Any]:
    base = {"id": identity, "name": "of " + identity, "subnets": ["s"], "admin_state_up": True, "shared": False}
    return {**base, "router:external": False, **more}


def several(call: str, body: Any) -> CallFailed | None:
    """As nova-api answers while a compute of Mitaka is left and the project has more than one network."""
    ambiguous = call == "POST /servers" and not isinstance(body["server"].get("networks"), list)
    return CallFailed("HTTP 409 of POST /servers: Multiple possible networks found", 409) if ambiguous else None


def test_where_nova_wants_a_network_named_a_shared_one_inside_the_cloud_is_taken_and_told(nova: Nova) -> None:
    nova.networks = [
        network("n-1", **{"router:external": True, "shared": True}),
        network("n-2", subnets=[], shared=True),
        network("n-3", admin_state_up=False, shared=True),
        network("n-4"),
        network("n-5", shared=True),
    ]
    nova.refused = several
    answer = lived(nova)
    (body,) = nova.bodies
    assert body["networks"] == [{"uuid": "n-5"}]
    assert answer["network"] == "of n-5"


def test_a_network_that_was_named_and_is_refused_is_no_other(nova: Nova) -> None:
    nova.networks = [network("n-4"), network("n-5", shared=True)]
    nova.refused = lambda call, body: CallFailed("HTTP 409", 409) if call == "POST /servers" else None
    with pytest.raises(CallFailed, match="HTTP 409"):
        lived(nova, network="n-4")
    assert [call for call in nova.asked if call == ("POST", "/servers")] == [("POST", "/servers")]


def test_where_none_can_be_taken_that_is_said(nova: Nova) -> None:
    nova.networks, nova.refused = [network("n-1", **{"router:external": True})], several
    with pytest.raises(CallFailed, match="there is no network inside the cloud with a subnet: name one"):
        lived(nova)


UNBOUND = {"status": "ERROR", "fault": {"message": "Exceeded retries. Last exception: Binding failed for port p-1"}}


def test_server_whose_port_no_agent_binds_yet_is_deleted_and_made_again(nova: Nova) -> None:
    nova.course, nova.ends = ["BUILD", UNBOUND, "BUILD", UNBOUND, "BUILD", "ACTIVE"], [404]
    answer = lived(nova)
    assert len(nova.bodies) == 3 and nova.servers == {}
    assert [one["state"] for one in answer["states"]] == ["BUILD (spawning)", "ACTIVE", "gone"]


def test_agents_that_do_not_come_back_are_told_in_time(nova: Nova, clock: list[float]) -> None:
    nova.course, nova.ends = [UNBOUND], [404]
    with pytest.raises(
        CallFailed, match=r"Binding failed for port p-1; it was deleted again; no network agent there has reported"
    ):
        lived(nova)
    assert 300 <= clock[0] < 330 and nova.servers == {}


def test_what_is_named_is_taken_by_id_or_by_its_only_name(nova: Nova) -> None:
    lived(nova, image="i-big", flavor="m1", network="net", host="cmp001")
    (body,) = nova.bodies
    assert (body["imageRef"], body["flavorRef"], body["networks"]) == ("i-big", "f-m1", [{"uuid": "n-1"}])
    assert body["availability_zone"] == "az1:cmp001" and nova.headers == [{}]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"image": "none"}, "0 of 3 images are named none"),
        ({"network": "twice"}, "2 of 3 networks are named twice: give its id"),
        ({"host": "cmp9"}, "no nova-compute on a host named cmp9; there is: cmp001"),
    ],
)
def test_what_is_not_there_or_there_twice_is_told(nova: Nova, named: dict[str, str], words: str) -> None:
    with pytest.raises(CallFailed, match=words):
        lived(nova, **named)
    assert nova.bodies == []


def test_a_flavor_has_to_take_the_image_and_parts_of_images_are_none(nova: Nova) -> None:
    nova.images = [image("queued", 1, status="queued"), image("other", 5, visibility="private")]
    nova.images += [image("volume", None), image("large", 9, min_ram=256, min_disk=1)]
    nova.flavors += [flavor("off", 300, disabled=True), flavor("flat", 256, 1)]
    wanted = choice.of(nova, order())
    assert wanted.told() == {"image": "large", "flavor": "flat", "network": "none"}
    with pytest.raises(CallFailed, match="there is no public flavor that takes image large: name one"):
        choice._flavor(nova, "", {**nova.images[-1], "min_ram": 4096})
    nova.images.clear()
    with pytest.raises(CallFailed, match="there is no active image"):
        choice.of(nova, order())


def test_a_server_that_is_not_found_at_once_is_told_with_its_cause_and_deleted_when_it_comes(nova: Nova) -> None:
    late = [True, True, True]
    nova.refused = lambda call, body: (
        CallFailed("HTTP 404", 404)
        if call in ("GET /servers/s1", "DELETE /servers/s1") and late and late.pop()
        else None
    )
    with pytest.raises(CallFailed, match=r"rows of Mitaka's nova-osapi_compute.* are left") as failed:
        lived(nova)
    assert str(failed.value).endswith("it was deleted again") and nova.servers == {}


def test_one_that_never_comes_is_waited_for_before_it_is_given_up(nova: Nova, clock: list[float]) -> None:

    def lost(call: str, body: Any) -> CallFailed | None:
        nova.servers.clear()
        return CallFailed("HTTP 404", 404) if "/servers/s1" in call else None

    nova.refused = lost
    with pytest.raises(CallFailed, match="it has not come up since, so there is nothing to delete"):
        lived(nova, patience=100)
    assert clock[0] == server.APPEARS_SECONDS


def test_one_that_only_the_list_has_is_told_and_never_said_to_be_deleted(nova: Nova) -> None:
    nova.refused = lambda call, body: CallFailed("HTTP 404", 404) if "/servers/s1" in call else None
    with pytest.raises(CallFailed, match="could not be deleted: nova lists server s1 and does not find it by its id"):
        lived(nova, patience=100)
    with pytest.raises(CallFailed, match="stays until a call of this run finds it: rows of Mitaka"):
        server.swept(nova, NAME, 30)
    nova.refused = lambda call, body: None
    assert server.swept(nova, NAME, 30) == ["s1"] and nova.servers == {}


def test_novas_own_fault_is_told_and_the_server_deleted(nova: Nova) -> None:
    nova.course = ["BUILD", {"status": "ERROR", "fault": {"message": "No valid host\n was found."}}]
    with pytest.raises(CallFailed, match=r"server s1 is in ERROR: No valid host was found\.; it was deleted again"):
        lived(nova)
    assert nova.servers == {}


def test_one_that_does_not_become_active_is_deleted(nova: Nova) -> None:
    nova.course = ["BUILD"]
    with pytest.raises(CallFailed, match=r"not ACTIVE within 30 s: BUILD \(spawning\); it was deleted again"):
        lived(nova)
    assert nova.servers == {}


def test_an_api_that_does_not_serve_for_a_moment_is_asked_again(nova: Nova) -> None:
    nova.course = ["BUILD", CallFailed("HTTP 503 of GET", 503), CallFailed("no connection"), "ACTIVE"]
    assert lived(nova)["host"] == "cmp001"
    nova.course = [CallFailed("HTTP 403 of GET", 403)]
    with pytest.raises(CallFailed, match="HTTP 403 of GET"):
        lived(nova)


def test_an_answer_without_a_status_deletes_all_the_same(nova: Nova) -> None:
    nova.course = [{"other": 1}]
    nova.ends = [404]
    with pytest.raises(CallFailed, match="an answer without 'status'; it"):
        lived(nova)
    assert nova.servers == {}


def test_one_that_stays_is_told(nova: Nova) -> None:
    nova.ends = ["ACTIVE"]
    with pytest.raises(CallFailed, match="server s1 is not gone within 30 s: it is still ACTIVE"):
        lived(nova)
    nova.course, nova.servers = [{"status": "ERROR"}], {}
    with pytest.raises(
        CallFailed, match="ERROR: nova says no reason; and it could not be deleted: server s1 is not gone"
    ):
        lived(nova)


def test_where_deleted_servers_are_kept_for_a_while_it_is_deleted_for_good(nova: Nova) -> None:
    nova.ends = ["SOFT_DELETED"]
    lived(nova)
    assert ("POST", "/servers/s1/action") in nova.asked and nova.servers == {}


def test_what_an_earlier_call_left_behind_is_deleted_by_its_exact_name(nova: Nova) -> None:
    nova.servers = {one: {"id": one, "name": name} for one, name in (("a", NAME), ("b", NAME + "0"), ("c", "theirs"))}
    assert server.swept(nova, NAME, 30) == ["a"]
    assert set(nova.servers) == {"b", "c"} and ("DELETE", "/servers/a") in nova.asked


def test_a_session_sweeps_first_and_answers_what_was_chosen(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    nova.servers = {"a": {"id": "a", "name": NAME}}
    monkeypatch.setattr(session, "Client", lambda given: nova)
    monkeypatch.setattr(session, "wait_for", lambda cloud, patience: None)
    answer = session.asked({**order(), "what": "server", "run": "r1", "patience": 30})
    assert (answer["swept"], answer["image"], answer["name"]) == (["a"], "small", NAME)
    nova.images = [{"id": "x"}]
    with pytest.raises(CallFailed, match="an answer without"):
        session.asked({**order(), "what": "server", "run": "r1", "patience": 30})


class Gone(Exception):
    """Stands for keystoneauth1.exceptions.ClientException."""


class Lists(client.Client):
    """The three lists; ``turns`` change them, one before each look at nova's."""

    def __init__(self, *turns: Callable[[Lists], None]) -> None:
        self.kinds, self.turns = ["compute", "volumev3", "network"], list(turns)
        self.nova = [self.service("nova-compute", "cmp001"), self.service("nova-scheduler", "ctl01")]
        self.cinder = [self.service("cinder-volume", "cmp001@lvm")]
        self.neutron = [self.agent("neutron-openvswitch-agent", "cmp001")]
        self.asked: list[str] = []
        self.errors = SimpleNamespace(ClientException=Gone)

    @staticmethod
    def service(binary: str, host: str, state: str = "up", status: str = "enabled") -> dict[str, Any]:
        return {"binary": binary, "host": host, "state": state, "status": status}

    @staticmethod
    def agent(binary: str, host: str, alive: bool = True, meant: bool = True) -> dict[str, Any]:
        return {"binary": binary, "host": host, "alive": alive, "admin_state_up": meant}

    def catalogue(self) -> list[Any]:
        if not self.kinds:
            raise Gone("no connection\n to keystone")
        return [{"type": kind} for kind in self.kinds]

    def call(self, method: str, kind: str, path: str, timeout: float, body: Any = None, **more: Any) -> Any:
        self.asked.append(kind)
        if kind == "compute":
            if self.turns:
                self.turns.pop(0)(self)
            return {"services": self.nova}
        return {"agents": self.neutron} if kind == "network" else {"services": self.cinder}


def failing(lists: Lists) -> None:
    raise CallFailed("HTTP 503 of GET /os-services", 503)


def test_agents_of_the_hosts_are_waited_for(clock: list[float]) -> None:
    def down(lists: Lists) -> None:
        lists.nova[0]["state"] = "down"

    def up(lists: Lists) -> None:
        lists.nova[0]["state"] = "up"

    answer = services.seen(Lists(down, failing, up), ["cmp001.cloud.local"], (), 60)
    assert (
        answer["hosts"] == {"cmp001": {"nova-compute": "up", "cinder-volume": "up", "neutron-openvswitch-agent": "up"}}
        and answer["seconds"] == clock[0] == 2 * services.POLL
    )


def refused(lists: Lists, *hosts: str, without: tuple[str, ...] = ()) -> str:
    with pytest.raises(CallFailed, match="not up within 10 s: ") as failed:
        services.seen(lists, hosts or ("cmp001",), without, 10)
    return str(failed.value)


def test_those_that_are_not_up_are_told_each_with_its_host() -> None:
    lists = Lists()
    lists.nova[0].update(state="down", status="disabled")
    lists.cinder[0].update(state="down")
    lists.neutron[0].update(alive=False)
    told = refused(lists, "cmp001", "cmp002")
    for one in (
        "nova-compute on cmp001 is down",
        "cinder-volume on cmp001 is down",
        "neutron-openvswitch-agent on cmp001 is down",
    ):
        assert one in told
    assert "nova-compute on cmp002 is in no list" in told


def test_a_list_that_does_not_come_is_told() -> None:
    assert "HTTP 503 of GET /os-services" in refused(Lists(*[failing] * 20))
    nameless = Lists()
    nameless.kinds.clear()
    assert "no catalogue: no connection to keystone" in refused(nameless)
    broken = Lists()
    broken.neutron = [{}]
    assert "an answer without 'binary'" in refused(broken)


def test_what_was_disabled_and_what_is_down_elsewhere_stops_nobody() -> None:
    lists = Lists()
    lists.neutron[0].update(alive=False, admin_state_up=False)
    lists.nova += [
        lists.service("nova-compute", "cmp009", "down"),
        lists.service("nova-cert", "ctl01", "down", "disabled"),
    ]
    lists.cinder.append(lists.service("cinder-volume", "cmp001@other", "up", "disabled"))
    answer = services.seen(lists, ["cmp001"], (), 10)
    assert answer["down_elsewhere"] == ["nova-compute on cmp009"]
    assert answer["hosts"]["cmp001"]["neutron-openvswitch-agent"] == "down, disabled"


def test_services_that_a_cloud_does_not_have_are_not_asked_and_mitakas_cinder_by_its_older_name() -> None:
    lists = Lists()
    lists.kinds = ["compute", "volumev2"]
    services.seen(lists, ["cmp001"], ("neutron",), 10)
    assert lists.asked == ["compute", "volumev2"]
    lists.asked.clear()
    services.seen(lists, ["cmp001"], ("neutron", "cinder"), 10)
    assert lists.asked == ["compute"]


@pytest.mark.parametrize(
    ("host", "named", "same"),
    [
        ("cmp001", "cmp001", True),
        ("cmp001.a", "cmp001", True),
        ("cmp001", "cmp001.a", True),
        ("cmp001.a", "cmp001.b", False),
    ],
)
def test_a_host_is_the_same_with_and_without_its_domain(host: str, named: str, same: bool) -> None:
    assert services.same(host, named) is same


ASKED = ask.Asked("", "", True, 30.0, 60.0)
COPY = {
    "keystone": {
        "server": {
            "database": {"name": "keystone_upgrade"}, "bind": {"public_address": "10.0.0.90"},
            "admin_name": "upgrader", "admin_password": "s3cret",
        }
    }
}  # fmt: skip


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Any]]:
    """What the session was given; it answers with the last of it."""
    given: list[Any] = []

    def run(argv: list[str], **more: Any) -> CompletedProcess[bytes]:
        given.append((argv, more["input"]))
        return CompletedProcess(argv, 0, answers.pop(0), b"")

    answers = [b'{"name": "upgrader-smoke-r1", "host": "cmp001", "image": "small", "flavor": "tiny", "network": "none", '
               b'"states": [{"state": "ACTIVE", "seconds": 2.0}, {"state": "gone", "seconds": 4.5}]}']  # fmt: skip
    monkeypatch.setattr(ask.subprocess, "run", run)
    monkeypatch.setattr(ask.settings, "python", lambda pillar: __file__)
    given.append(answers)
    yield given


def test_a_servers_life_is_one_sentence_and_its_session_is_the_verifications(told: list[Any]) -> None:
    answer = smoke.server(COPY, "r1", order(), ASKED, None)
    assert answer["comment"] == (
        "upgrader-smoke-r1 was ACTIVE on cmp001 after 2.0 s and gone after 4.5 s (image small, flavor tiny, network none)"
    )
    argv, given = told[1]
    assert argv[-1] == session.__name__ and "s3cret" not in " ".join(argv) and b"s3cret" in given
    assert answer["whose"] == "the copy's own account upgrader"


def test_a_session_that_failed_is_an_error_without_the_password(told: list[Any]) -> None:
    told[0][:] = [b'{"failed": "server s1 is in ERROR: s3cret"}']
    with pytest.raises(StepError, match=re.escape("server s1 is in ERROR: ***")):
        smoke.server(COPY, "r1", order(), ASKED, None)


def test_what_is_down_elsewhere_is_a_warning(told: list[Any]) -> None:
    told[0][:] = [b'{"hosts": {"cmp001": {}}, "down_elsewhere": ["nova-compute on cmp009"], "seconds": 1}']
    answer = smoke.services(COPY, ["cmp001"], ASKED, None)
    assert answer["comment"] == "1 of 1 hosts have their agents up"
    assert [(one["severity"], one["what"]) for one in answer["findings"]] == [
        ("warning", "1 agents on other hosts are down: nova-compute on cmp009")
    ]


@pytest.mark.parametrize("hosts", [[], "cmp001", [1], [""], None])
def test_hosts_that_are_no_names_are_refused(hosts: Any) -> None:
    with pytest.raises(StepError, match="expected_hosts must be a list"):
        smoke.services(COPY, hosts, ASKED, None)


@pytest.mark.parametrize(("run", "named"), [("../r", order()), ("r1", order(image=7)), ("r1", order(host="a\nb"))])  # type: ignore[arg-type]
def test_orders_that_are_no_names_are_refused(run: str, named: dict[str, Any]) -> None:
    with pytest.raises(StepError):
        smoke.server(COPY, run, named, ASKED, None)
