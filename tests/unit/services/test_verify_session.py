"""The session's own judgement, against clouds that answer from a table: pages, patience, what is made, deleted and swept."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from upgrader_node.verify import client, objects, questions
from upgrader_node.verify.resources import PREFIX, RESOURCES

BY_NAME = {resource.name: resource for resource in RESOURCES}


class Refused(Exception):
    """Stands for keystoneauth1.exceptions.ClientException."""


class Unauthorized(Refused):
    """A wrong password."""


class Errors:
    ClientException, Unauthorized = Refused, Unauthorized


class Reply:
    def __init__(self, status: int, body: Any = None, text: str = "") -> None:
        self.status_code, self._body, self.text = status, body, text

    def json(self) -> Any:
        if self._body is None:
            raise ValueError("no JSON")
        return self._body


class Table(client.Client):
    """Objects of one collection; ``answers`` come before it, one for each call."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked, self.held = list(answers), [], {}  # type: ignore[var-annotated]
        self.order, self.region, self.errors = {"auth": {"auth_url": "http://h/v3", "username": "me"}}, "R", Errors
        self.session = self

    def call(self, method: str, kind: str, path: str, timeout: float, body: Any = None, **more: Any) -> Any:
        self.asked.append((method, path))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        identity = path.rsplit("/", 1)[-1].split("?")[0]
        if method == "POST":
            made = {**body["network"], "id": f"id{len(self.held)}"}
            self.held[made["id"]] = made
            return {"network": made}
        if method == "DELETE":
            del self.held[identity]
            return None
        return {"network": self.held[identity]} if identity in self.held else {"networks": list(self.held.values())}

    def session_of(self, kind: str) -> Any:
        return self

    def get(self, path: str, **more: Any) -> Reply:
        return Reply(200 if path.rsplit("/", 1)[-1] in self.held else 404)

    def get_token(self) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(client.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_pages_are_followed_with_the_services_own_marker() -> None:
    images = BY_NAME["images"]
    cloud = Table(
        {"images": [1, 2], "next": "/v2/images?limit=1000&marker=two"},
        {"images": [3], "next": "/v2/images?marker=three"},
        {"images": []},
    )
    assert cloud.pages(images) == [1, 2, 3]
    assert [path for _, path in cloud.asked] == [
        images.path,
        images.path + "&marker=two",
        images.path + "&marker=three",
    ]


def test_links_of_nova_and_cinder_lead_on_too_and_an_empty_page_ends() -> None:
    servers = BY_NAME["servers"]
    link = [{"rel": "next", "href": "http://h/v2.1/servers/detail?limit=1&marker=a&all_tenants=1"}]
    cloud = Table({"servers": [1], "servers_links": link}, {"servers": [], "servers_links": link})
    assert cloud.pages(servers) == [1] and cloud.asked[1][1] == servers.path + "&marker=a"


def test_pages_that_lead_back_are_an_error() -> None:
    page = {"images": [1], "next": "/v2/images?marker=one"}
    with pytest.raises(client.CallFailed, match="lead back"):
        Table(page, page, page).pages(BY_NAME["images"])


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(500, {"computeFault": {"message": "Unexpected\n API Error.", "code": 500}}), "Unexpected API Error."),
        (Reply(503, {"NeutronError": "down"}), "down"),
        (
            Reply(503, {"explanation": "Try later.", "code": 503, "error": {"message": "All heat engines are down."}}),
            "All heat engines are down.",
        ),
        (Reply(400, [1]), "[1]"),
        (Reply(500, {}), "{}"),
        (Reply(502, text="<html>Bad Gateway</html>"), "<html>Bad Gateway</html>"),
    ],
)
def test_the_services_own_words_are_told(reply: Reply, words: str) -> None:
    assert client._words(reply) == words


def test_a_token_is_waited_for_and_a_wrong_password_is_not(clock: list[float]) -> None:
    client.wait_for(Table(Refused("refused"), Refused("refused"), "token"), 10)
    assert clock[0] == 2 * client.POLL
    with pytest.raises(client.CallFailed, match="does not accept user me"):
        client.wait_for(Table(Unauthorized("401")), 10)
    with pytest.raises(client.CallFailed, match="gives no token within 1 s: refused"):
        client.wait_for(Table(*[Refused("refused")] * 9), 1)


def test_an_engine_that_has_not_reported_yet_is_asked_again() -> None:
    heat, up = BY_NAME["orchestration services"], {"id": "e", "status": "up", "hostname": "h", "binary": "heat-engine"}
    late = Table({}, {"services": [{**up, "status": "down"}]}, {"services": [up]})
    assert questions.listed(late, heat, {}, ("h",), 5)["findings"] == []
    never = Table(*[{"services": []}] * 9)
    found = questions.listed(never, heat, {}, ("h",), 1)
    assert "no heat engine of this node is up (0 listed)" in found["findings"][0]["what"]


def test_a_service_that_has_not_started_is_asked_again_before_the_question_that_counts() -> None:
    networks = BY_NAME["networks"]
    refused = client.CallFailed("Unable to establish connection to http://upg01:9696")
    cloud = Table(refused, client.CallFailed("HTTP 503 of GET /"), {}, {"networks": []})
    answer = questions.listed(cloud, networks, {"networks": {}}, (), 60)
    assert answer["findings"] == [] and (answer["found"], answer["expected"]) == (0, 0) and len(cloud.asked) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [(client.CallFailed("HTTP 500 of GET /x: boom"), "networks: HTTP 500 of GET /x: boom"),
     ({"other": []}, "networks: an answer without 'networks'"),
     ({"networks": [{"id": "n"}]}, "networks: an answer without 'name'")],
)  # fmt: skip
def test_a_failed_call_is_one_finding_with_the_services_name(answer: Any, words: str) -> None:
    (finding,) = questions.listed(Table(answer), BY_NAME["networks"], {}, (), 0)["findings"]
    assert finding["what"] == words and "journal of the neutron services" in finding["remedy"]


def test_a_service_that_fails_once_is_asked_again_and_that_it_did_is_told(clock: list[float]) -> None:
    failed, refused = (
        client.CallFailed("HTTP 500 of GET /x: boom", 500),
        client.CallFailed("HTTP 403 of GET /x: no", 403),
    )
    ask = {"small": {}, "lists": {"networks": []}}
    (told,) = questions.listed(Table(ask["small"], failed, ask["lists"]), BY_NAME["networks"], {}, (), 60)["findings"]
    assert told["severity"] == "warning" and told["what"].endswith("/x: boom (once; asked again it answered)")
    for twice in ((failed, failed), (refused, ask["lists"])):
        (told,) = questions.listed(Table(ask["small"], *twice), BY_NAME["networks"], {}, (), 60)["findings"]
        assert told["severity"] == "blocker" and told["what"] == f"networks: {twice[0]}"


def made(cloud: Table) -> dict[str, Any]:
    network = next(one for one in objects.OBJECTS if one[0] == "network")
    before = json.dumps(network)
    answer = objects.made_and_deleted(cloud, network)
    assert json.dumps(network) == before
    return answer


def test_an_object_is_made_read_and_deleted() -> None:
    cloud = Table()
    assert made(cloud)["findings"] == [] and cloud.held == {}
    assert [method for method, _ in cloud.asked] == ["GET", "POST", "GET", "DELETE"]


def test_only_what_carries_our_prefix_is_swept() -> None:
    cloud = Table()
    cloud.held = {
        "a": {"id": "a", "name": PREFIX + "1"},
        "b": {"id": "b", "name": "theirs"},
        "c": {"id": "c", "name": None},
    }
    assert made(cloud)["found"] == 1 and set(cloud.held) == {"b", "c"}


def test_what_goes_beside_the_swept_is_told_with_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Table()
    cloud.held = {
        one: {"id": one, "name": name} for one, name in (("a", PREFIX + "1"), ("b", "theirs"), ("c", "other"))
    }
    plain = cloud.call

    def both(method: str, kind: str, path: str, timeout: float, body: Any = None, **more: Any) -> Any:
        if method == "DELETE":
            cloud.held.pop("b", None)
        return plain(method, kind, path, timeout, body, **more)

    monkeypatch.setattr(cloud, "call", both)
    (finding,) = made(cloud)["findings"]
    assert "1 of an earlier check were deleted (a), and 1 more are gone that nobody named: b" in finding["what"]


def test_an_object_that_is_read_back_otherwise_is_deleted_and_told() -> None:
    cloud = Table({"networks": []}, {"network": {"id": "x"}}, {"network": {"name": "other"}})
    cloud.held = {"x": {}}
    (finding,) = made(cloud)["findings"]
    assert "read back under another name" in finding["what"] and cloud.held == {}


def test_an_object_that_stays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Table()
    monkeypatch.setattr(cloud, "get", lambda path, **more: Reply(200))
    assert "deleted, and GET still answers HTTP 200" in made(cloud)["findings"][0]["what"]


def test_what_cannot_be_made_is_told() -> None:
    cloud = Table({"networks": []}, client.CallFailed("HTTP 403 of POST /v2.0/networks: no"))
    (finding,) = made(cloud)["findings"]
    assert finding["what"] == "network cannot be made, read and deleted: HTTP 403 of POST /v2.0/networks: no"


def test_domains_go_by_name_only_where_no_id_is_given() -> None:
    assert client._domain({}, "user_domain") == {"user_domain_id": "default"}
    assert client._domain({"user_domain_id": "x"}, "user_domain") == {"user_domain_id": "x"}
    assert client._domain({"user_domain_name": "Ops"}, "user_domain") == {"user_domain_name": "Ops"}


def test_through_a_host_every_request_goes_there_with_the_catalogues_port_and_path() -> None:
    class Session:
        def get_endpoint(self, **wanted: str | None) -> str | None:
            assert wanted["interface"] == "internal"
            return "http://vip01:8774/v2.1/p" if wanted["service_type"] == "compute" else None

    made = client.Client.__new__(client.Client)
    made.order, made.region = {"interface": "internal", "through": "ctl02"}, "RegionOne"
    made.lock, made.sessions = threading.Lock(), {"compute": Session(), "metering": Session()}
    assert made._where("compute") == {"endpoint_override": "http://ctl02:8774/v2.1/p"}
    assert made._where("metering")["endpoint_filter"]["service_type"] == "metering", (
        "a type that is missing is told as ever"
    )
    made.order = {"interface": "internal"}
    assert "endpoint_filter" in made._where("compute")
