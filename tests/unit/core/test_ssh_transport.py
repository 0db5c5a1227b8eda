"""The door of ssh: the contract of every transport, and what stands in the way of a machine, as one sentence each."""

from __future__ import annotations

import socket
import tarfile
from collections.abc import Mapping
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import paramiko
import pytest

from tests.support.ssh_stub import HOSTS, NODES, SshSite
from tests.support.transport_contract import CALL, TransportContract
from upgrader.config.access import SaltSsh
from upgrader.content import FORMULAS
from upgrader.errors import Refused, SaltUnreachable, UsageError
from upgrader.journal.carrier import require_carrier
from upgrader.journal.journal import Journal
from upgrader.plan.catalogue import Catalogue
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.step import Call, Plan, Stage, Step
from upgrader.transport.base import Patience
from upgrader.transport.collect import collect
from upgrader.transport.doors import DOORS, Access
from upgrader.transport.ssh import bundle, link
from upgrader.transport.ssh.door import RAREST, Asking, SshTransport
from upgrader.transport.ssh.link import Link, OutOfReach, diagnosed
from upgrader.transport.ssh.thin import STRICT


class TestSsh(TransportContract):
    AWAY = "reached nobody: n1.lab: nothing answers.*; n2.lab: nothing answers"

    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshSite:
        return SshSite(tmp_path, monkeypatch)

    def test_machine_out_of_reach_is_lost_with_its_sentence_and_told_once(self, site: SshSite) -> None:
        site.out_of_reach = {NODES[1]: "has no host key"}
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        reply = site.transport.answers(CALL, jid)[NODES[1]]
        assert (reply.lost, reply.error) == (True, f"{NODES[1]}: has no host key")
        assert site.transport.answers(CALL, jid) == {}
        assert site.published == [("do.it", (NODES[0],), {"word": "x"})]

    def test_machine_that_no_roster_has_is_told_by_name(self, site: SshSite) -> None:
        with pytest.raises(
            SaltUnreachable, match=r"reached nobody: n9\.lab: roster .* has no machine of that id: add it"
        ):
            site.transport.submit(Call("module", "do.it", ("n9.lab",)), "1")

    def test_reply_that_was_fetched_is_not_fetched_again(self, site: SshSite) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        site.answers(jid, NODES[0], {"return": 1, "retcode": 0})
        site.transport.answers(CALL, jid)
        site.requests.clear()
        assert site.transport.answers(CALL, jid)[NODES[0]].value == 1
        assert site.requests == [(NODES[1], "replies")]

    @pytest.mark.parametrize(
        ("seen", "laid", "placed"),
        [({}, 0, 0), ({"thin": "3006.9"}, 2, 0), ({"thin": ""}, 2, 0), ({"formulas": False}, 0, 2)],
    )
    def test_salt_and_formulas_are_laid_where_they_are_not_and_once(
        self, site: SshSite, seen: Mapping[str, Any], laid: int, placed: int
    ) -> None:
        site.seen.update(seen)
        for _ in range(2):
            site.transport.submit(CALL, site.transport.new_job_id())
        assert len(site.laid) == laid
        assert [what for _, what in site.requests].count("place") == placed

    def test_pillar_goes_with_the_call_and_is_compiled_anew_when_the_gate_asks(self, site: SshSite) -> None:
        site.pillar(NODES[0], {"a": 1})
        assert site.transport.pillars(NODES[:1]) == {NODES[0]: {"a": 1}}
        site.pillar(NODES[0], {"a": 2})
        site.transport.submit(CALL, site.transport.new_job_id())
        assert isinstance(site.transport, SshTransport) and site.transport._pillar[NODES[0]] == {"a": 1}
        site.transport.submit(Call("module", "upgrader_node.pillar_current", NODES), site.transport.new_job_id())
        assert site.transport._pillar[NODES[0]] == {"a": 2}

    def test_machine_that_falls_silent_is_told_with_what_stood_in_its_way(self, site: SshSite) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        for node in NODES:
            site.runs(jid, node, None)
        now = iter(range(0, 10_000, 3))
        replies = collect(
            site.transport, CALL, jid, Patience(), clock=lambda: float(next(now)), pause=lambda seconds: None
        )
        assert replies[NODES[0]].lost and replies[NODES[0]].error.endswith(f"{NODES[0]}: it hangs")

    def test_job_is_unknown_only_where_somebody_could_be_asked(self, site: SshSite) -> None:
        site.away()
        with pytest.raises(SaltUnreachable, match="nothing answers"):
            site.transport.is_known("1")


def linked(known_hosts: Path, client: Any, monkeypatch: pytest.MonkeyPatch, **host: Any) -> Link:
    monkeypatch.setattr(paramiko, "SSHClient", lambda: client)
    return Link(HOSTS[NODES[0]].__class__(**{**vars(HOSTS[NODES[0]]), **host}), known_hosts)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (socket.gaierror(-2, "Name or service not known"), "nobody knows the name n1.lab: correct host in the roster"),
        (ConnectionRefusedError(111, "Connection refused"), r"nothing answers at n1.lab port 22 \(Connection refused\)"),
        (TimeoutError("timed out"), r"nothing answers at n1.lab port 22 \(timed out\)"),
        (paramiko.SSHException("Server 'n1.lab' not found in known_hosts"), "none is ever accepted unseen"),
        (paramiko.BadHostKeyException("n1.lab", paramiko.RSAKey.generate(2048), paramiko.RSAKey.generate(2048)), "has another host key than"),
        (paramiko.AuthenticationException("no"), "does not let user root in with key /key"),
        (paramiko.SSHException("banner"), r"no ssh connection to n1.lab port 22 \(banner\)"),
        (FileNotFoundError(2, "No such file or directory", "/key"), "/key cannot be read"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_what_stands_in_the_way_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    client = create_autospec(paramiko.SSHClient, instance=True)
    client.connect.side_effect = error
    with pytest.raises(OutOfReach, match=sentence) as told:
        linked(tmp_path / "known", client, monkeypatch).ask({"do": "look"})
    assert "\n" not in str(told.value) and str(told.value).startswith(NODES[0])


def test_host_keys_are_pinned_and_no_agent_or_other_key_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_autospec(paramiko.SSHClient, instance=True)
    client.connect.side_effect = TimeoutError("x")
    with pytest.raises(OutOfReach):
        linked(tmp_path / "known", client, monkeypatch).ask({"do": "look"})
    (policy,) = client.set_missing_host_key_policy.call_args.args
    assert isinstance(policy, paramiko.RejectPolicy)
    client.load_host_keys.assert_called_once_with(str(tmp_path / "known"))
    given = client.connect.call_args.kwargs
    assert (given["allow_agent"], given["look_for_keys"], given["key_filename"]) == (False, False, "/key")
    assert STRICT[0] == "StrictHostKeyChecking=yes" and "GlobalKnownHostsFile=/dev/null" in STRICT


@pytest.mark.parametrize(
    ("code", "words", "host", "sentence"),
    [
        (127, b"sh: 1: python3: not found\n", {}, "user root cannot run python3 there"),
        (127, b"sh: 1: sudo: not found\n", {"sudo": True}, "there is no sudo"),
        (1, b"sudo: a password is required\n", {"sudo": True}, "may not do everything without a password"),
        (1, b"OSError: [Errno 28] No space left on device\n", {}, "No space left on device"),
        (0, b"", {}, "its Python cannot do what was asked"),
    ],
)
def test_what_the_machine_says_instead_of_an_answer_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: bytes, host: dict[str, Any], sentence: str
) -> None:
    client = create_autospec(paramiko.SSHClient, instance=True)
    channel = create_autospec(paramiko.Channel, instance=True)
    client.get_transport.return_value.open_session.return_value = channel
    channel.makefile.return_value, channel.makefile_stderr.return_value = BytesIO(b""), BytesIO(words)
    channel.recv_exit_status.return_value = code
    with pytest.raises(OutOfReach, match=sentence):
        linked(tmp_path / "known", client, monkeypatch, **host).ask({"do": "look"})
    command = channel.exec_command.call_args.args[0]
    assert command.startswith("sudo -n python3" if host else "python3 -c")


@pytest.mark.parametrize(("breaks", "well"), [(1, True), (2, False)])
def test_connection_that_died_unseen_is_opened_anew_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: int, well: bool
) -> None:
    client = create_autospec(paramiko.SSHClient, instance=True)
    channel = create_autospec(paramiko.Channel, instance=True)
    channel.makefile.side_effect = lambda mode: BytesIO(b'{"uid": 0}\n')
    channel.makefile_stderr.side_effect = lambda mode: BytesIO(b"")
    channel.recv_exit_status.return_value = 0
    client.get_transport.return_value.open_session.side_effect = [EOFError()] * breaks + [channel]
    asked = linked(tmp_path / "known", client, monkeypatch)
    if well:
        assert asked.ask({"do": "look"}) == {"uid": 0}
    else:
        with pytest.raises(OutOfReach, match=r"n1\.lab: the connection broke twice \(EOFError\)"):
            asked.ask({"do": "look"})
    assert client.connect.call_count == 2


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ({"python": [3, 5], "uid": 0}, "python3 there is 3.5"),
        ({"python": [3, 11], "uid": 1000}, "is not root there: say 'sudo: True'"),
    ],
)
def test_machine_that_cannot_carry_salt_is_told(seen: dict[str, Any], sentence: str) -> None:
    held = create_autospec(Link, instance=True)
    held.host, held.ask.return_value = HOSTS[NODES[0]], seen
    with pytest.raises(OutOfReach, match=sentence):
        diagnosed(held, {"do": "look"})


def test_archive_has_every_file_of_the_formulas_and_its_version_follows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(fileobj=BytesIO(bundle.archive()), mode="r:gz") as archive:
        names = set(archive.getnames())
    there = {str(p.relative_to(FORMULAS)) for p in FORMULAS.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert names == there
    (tmp_path / "a.sls").write_text("1")
    monkeypatch.setattr(bundle, "FORMULAS", tmp_path)
    bundle.version.cache_clear()
    try:
        one = bundle.version()
        (tmp_path / "a.sls").write_text("2")
        bundle.version.cache_clear()
        assert bundle.version() != one
    finally:
        bundle.version.cache_clear()


def test_module_that_needs_a_master_is_refused_by_step_and_reason() -> None:
    call = Call("module", "upgrader_key.check", ("a",))
    step = Step("machine-keys", "keys", call, retry_safe=True, no_undo="nothing")
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", (step,)),))
    catalogue = Catalogue({"upgrader_key.check": frozenset()}, frozenset())
    check_plan(plan, Ground(("module",), catalogue, ("a",)))
    with pytest.raises(
        UsageError, match=r"step machine-keys: its call is upgrader_key.check, which the transport cannot do: it is"
    ):
        check_plan(plan, Ground(("module",), catalogue, ("a",), SshTransport.lacks))


@pytest.mark.parametrize(("begun", "now"), [("minions", "ssh"), ("ssh", "minions"), (None, "ssh")])
def test_run_is_not_gone_on_with_where_its_jobs_are_not_known(tmp_path: Path, begun: str | None, now: str) -> None:
    journal = Journal.create(tmp_path / "r.jsonl")
    journal.append("run-started", "2017-08-01T10:15:00Z", **({"carrier": begun} if begun else {}))
    with pytest.raises(Refused, match=r"run r1 was begun through transport .*: go on with that"):
        require_carrier(journal, "r1", now)
    require_carrier(journal, "r1", begun or "minions")


def test_transport_without_its_configuration_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="transport ssh needs key salt_ssh"):
        DOORS["ssh"](Access(tmp_path))
    with pytest.raises(SaltUnreachable, match=r"no Salt configuration at .*: name it with --salt-config"):
        DOORS["ssh"](Access(tmp_path / "master", salt_ssh=SaltSsh(tmp_path / "r", tmp_path / "k", "m")))


def test_long_job_is_asked_about_ever_more_rarely_and_a_short_one_at_once() -> None:
    now = [0.0]
    asking = Asking(lambda: now[0])
    asked = []
    for _ in range(2000):
        if asking.is_due("1"):
            asked.append(now[0])
        now[0] += 0.1
    assert len([moment for moment in asked if moment < 2]) >= 15
    assert all(later - moment <= RAREST + 0.2 for moment, later in pairwise(asked))
    assert len(asked) < 200
    assert asking.is_due("2")


def test_text_of_the_tool_is_sent_with_every_request_and_runs_from_there() -> None:
    assert link.TOOL.is_file() and "__main__" in link.TOOL.read_text()
