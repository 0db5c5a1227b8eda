"""The door through salt-api: the contract of every transport, and what each answer of the server means."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import Callable
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from tests.support.salt_api_stub import PROBE, ApiSite
from tests.support.transport_contract import CALL, NODES, TransportContract
from upgrader.config.access import SaltApi
from upgrader.errors import Refused, SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport.api import session
from upgrader.transport.api.door import ApiTransport
from upgrader.transport.api.secret import secret_in
from upgrader.transport.api.session import Session
from upgrader.transport.api.stream import EventStream
from upgrader.transport.doors import DOORS, Access

ASKED = [{"client": "runner", "fun": "config.get"}]


class TestApi(TransportContract):
    @pytest.fixture
    def site(self, monkeypatch: pytest.MonkeyPatch) -> ApiSite:
        monkeypatch.setattr(*PROBE, 0.0)
        return ApiSite()

    def test_call_that_is_published_to_nobody_is_told_so(self, site: ApiSite) -> None:
        site.accepted = False
        with pytest.raises(SaltUnreachable, match=r"published do\.it to nobody: none of n1\.lab, n2\.lab"):
            site.transport.submit(CALL, site.transport.new_job_id())

    def test_kind_that_this_door_cannot_carry_is_refused_before_anything_is_sent(self, site: ApiSite) -> None:
        with pytest.raises(UsageError, match="transport api cannot carry calls of kind runner"):
            site.transport.submit(Call("runner", "do.it", NODES), "1")
        assert site.published == []

    @pytest.mark.parametrize("broken", [{"_errors": ["no such class"]}, "Traceback: no such class"], ids=str)
    def test_pillar_that_does_not_compile_is_refused_by_the_nodes_name(self, site: ApiSite, broken: Any) -> None:
        site.compiled[NODES[0]] = broken
        with pytest.raises(Refused, match=r"pillar of n1\.lab cannot be compiled: .*no such"):
            site.transport.pillars(NODES[:1])

    def test_master_is_asked_for_its_id_unless_it_is_configured(self, site: ApiSite) -> None:
        assert site.transport.master_id() == "cfg01.lab"
        assert ApiTransport(site, "own.lab").master_id() == "own.lab"
        site.runners["config.get"] = lambda key: ""
        with pytest.raises(Refused, match="set master in salt_api"):
            ApiTransport(site).master_id()

    def test_runner_that_fails_is_told_by_its_last_line(self, site: ApiSite) -> None:
        del site.runners["config.get"]
        with pytest.raises(SaltUnreachable, match=r"runner config\.get failed on the Salt master \(KeyError"):
            ApiTransport(site).master_id()


class Server:
    """Answers one request after the other, as they are said beforehand; what was sent is kept."""

    def __init__(self, *answers: tuple[int, Any] | Exception) -> None:
        self.answers, self.sent = list(answers), list[tuple[str, Any, dict[str, str]]]()

    def __call__(self, host: str, port: int, timeout: float, context: ssl.SSLContext) -> HTTPSConnection:
        assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
        connection: Any = create_autospec(HTTPSConnection, instance=True)
        connection.request.side_effect = self._request
        connection.getresponse.side_effect = self._answer
        return connection  # type: ignore[no-any-return]

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        self.sent.append((path, json.loads(body), headers))

    def _answer(self) -> Any:
        said = self.answers.pop(0)
        if isinstance(said, Exception):
            raise said
        response: Any = create_autospec(HTTPResponse, instance=True)
        text = said[1] if isinstance(said[1], str) else json.dumps({"return": said[1]})
        response.status, response.read.return_value = said[0], text.encode()
        return response


Served = Callable[..., tuple[Session, Server]]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("abc123\n")

    def serve(*answers: tuple[int, Any] | Exception, token: bool = False) -> tuple[Session, Server]:
        server = Server(*answers)
        monkeypatch.setattr(session.http.client, "HTTPSConnection", server)
        asked = {"token_file": secret} if token else {"user": "me", "password_file": secret}
        now = iter(range(1000))
        access = SaltApi("https://cfg01/salt", **asked)  # type: ignore[arg-type]
        return Session(access, bear=3.0, clock=lambda: next(now), pause=lambda seconds: None), server

    return serve


LOGIN, GOOD = (200, [{"token": "t1"}]), (200, ["well"])


def test_login_comes_first_and_its_token_goes_into_the_header(served: Served) -> None:
    asking, server = served(LOGIN, GOOD, GOOD)
    assert asking.ask(ASKED) == ["well"] and asking.ask(ASKED) == ["well"]
    assert [path for path, _, _ in server.sent] == ["/salt/login", "/salt/", "/salt/"]
    assert server.sent[0][1] == {"username": "me", "eauth": "pam", "password": "abc123"}
    assert server.sent[1][2]["X-Auth-Token"] == "t1"


def test_token_of_a_file_goes_into_each_chunk_and_nobody_logs_in(served: Served) -> None:
    asking, server = served(GOOD, token=True)
    asking.ask(ASKED)
    assert [(path, sent) for path, sent, _ in server.sent] == [("/salt/run", [{**ASKED[0], "token": "abc123"}])]


def test_token_that_expired_is_renewed_once(served: Served) -> None:
    asking, server = served(LOGIN, GOOD, (401, ""), (200, [{"token": "t2"}]), GOOD)
    asking.ask(ASKED)
    assert asking.ask(ASKED) == ["well"]
    assert server.sent[-1][2]["X-Auth-Token"] == "t2"


@pytest.mark.parametrize(
    ("answers", "token", "sentence"),
    [
        ([(401, "")], False, "does not take user me with eauth pam"),
        ([LOGIN, (401, "")], False, "refuses what user me asks for: external_auth"),
        ([(401, "")], True, "does not take the token in .*expired"),
        ([LOGIN, (503, "")], False, "cannot reach the Salt master .*is salt-master running"),
        ([LOGIN, (400, "Client disabled: 'runner'")], False, "set 'netapi_enable_clients"),
        ([LOGIN, (200, "<html>")], False, "not as salt-api does"),
        ([LOGIN, (200, "[1]")], False, "not as salt-api does"),
        ([LOGIN, (200, [])], False, "not answer as salt-api does"),
        ([LOGIN, (404, "no")], False, "status 404"),
        ([ConnectionRefusedError(111, "Connection refused")], False, r"\(Connection refused\); is salt-api running"),
        ([ssl.SSLCertVerificationError("x")], False, "is not vouched for by the system's authorities"),
    ],
)
def test_each_refusal_is_one_sentence_with_exit_code_5(
    served: Served, answers: list[Any], token: bool, sentence: str
) -> None:
    asking, _ = served(*answers, token=token)
    with pytest.raises(SaltUnreachable, match=sentence) as told:
        asking.tell(ASKED)
    assert "abc123" not in str(told.value) and "\n" not in str(told.value)


def test_question_is_asked_again_while_salt_api_is_away_and_what_changes_something_is_not(served: Served) -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    asking, _ = served(LOGIN, refused, (503, ""), GOOD)
    assert asking.ask(ASKED) == ["well"]
    asking, _ = served(LOGIN, *[refused] * 20)
    with pytest.raises(SaltUnreachable):
        asking.ask(ASKED)
    asking, server = served(LOGIN, refused, GOOD)
    with pytest.raises(SaltUnreachable):
        asking.tell(ASKED)
    assert server.answers == [GOOD]


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (b"x\n", 0o640, "can be read by others: chmod 600"),
        (b"\n", 0o600, "begins with an empty line"),
        (b"\xff\xfe", 0o600, "it is not UTF-8 text"),
        (None, 0, "No such file"),
    ],
)
def test_secret_that_cannot_be_taken_is_refused_with_its_file(
    tmp_path: Path, content: bytes | None, mode: int, sentence: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(UsageError, match=f"password file {path} .*{sentence}"):
        secret_in(path, "password")


def test_authority_that_is_none_is_refused_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    for name in ("ca", "absent"):
        with pytest.raises(UsageError, match=f"ca_file {tmp_path / name} of salt_api cannot be read"):
            Session(SaltApi("https://x", token_file=tmp_path / "t", ca_file=tmp_path / name))


def test_transport_without_its_configuration_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="transport api needs key salt_api"):
        DOORS["api"](Access(tmp_path))


def test_events_of_one_job_are_kept_and_a_broken_stream_is_told() -> None:
    lines = [
        b"retry: 400\n",
        b"tag: salt/job/1/ret/n1\n",
        b'data: {"tag": "salt/job/1/ret/n1", "data": {"id": "n1"}}\n',
        b"\n",
        b'data: {"tag": "salt/job/2/ret/n2", "data": {"id": "n2"}}\n',
    ]
    response: Any = create_autospec(HTTPResponse, instance=True)
    response.readline.side_effect = io.BytesIO(b"".join(lines)).readline
    stream = EventStream(create_autospec(HTTPSConnection, instance=True), response, "salt/job/1/ret/")
    stream._reader.join(10)
    assert stream.get_event() == {"id": "n1"}
    with pytest.raises(SaltUnreachable, match="ended its stream of events"):
        stream.get_event()
