"""Every transport, the one of the tests included, behaves as the engine needs it to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.clouds import lab_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.support.salt_stub import SaltException, StubbedSite
from tests.support.transport_contract import CALL, NODES, Site, TransportContract
from upgrader.cli.main import cli
from upgrader.errors import Refused, SaltUnreachable, UsageError
from upgrader.plan.step import KINDS, Call
from upgrader.transport import doors, master
from upgrader.transport.api.door import ApiTransport
from upgrader.transport.base import Transport
from upgrader.transport.doors import Access
from upgrader.transport.master import MasterTransport


class MemorySite:
    """The Salt that unit tests of the engine run on."""

    def __init__(self) -> None:
        self.salt = SaltInMemory(lambda call, node: None)
        self.transport: Transport = self.salt

    @property
    def published(self) -> list[tuple[str, tuple[str, ...], Mapping[str, Any]]]:
        return [(call.function, call.nodes, call.args) for call, _ in self.salt.jobs.values()]

    def answers(self, jid: str, node: str, answer: Mapping[str, Any]) -> None:
        self.salt.jobs[jid][1][node] = answer

    def runs(self, jid: str, node: str, running: bool | None) -> None:
        if running is not False:
            self.salt.running.add((node, jid if running else "dead"))

    def away(self) -> None:
        self.salt.unreachable = True

    def pillar(self, node: str, pillar: Mapping[str, Any]) -> None:
        self.salt.pillar[node] = dict(pillar)


class TestSaltInMemory(TransportContract):
    @pytest.fixture
    def site(self) -> Site:
        return MemorySite()


class TestMaster(TransportContract):
    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StubbedSite:
        monkeypatch.setattr(master, "PROBE_SECONDS", 0.0)
        return StubbedSite(tmp_path, monkeypatch)

    def test_master_that_goes_away_during_a_question_is_told_so(self, site: StubbedSite) -> None:
        site.away()
        with pytest.raises(SaltUnreachable, match=r"stopped answering.*is salt-master running"):
            site.transport.still_running("1", NODES)

    def test_call_that_is_published_to_nobody_is_told_so(self, site: StubbedSite) -> None:
        site.accepted = False
        with pytest.raises(
            SaltUnreachable, match=r"published do\.it to nobody: none of n1\.lab, n2\.lab has an accepted key"
        ):
            site.transport.submit(CALL, site.transport.new_job_id())

    def test_kind_that_this_door_cannot_carry_is_refused_before_anything_is_sent(self, site: StubbedSite) -> None:
        with pytest.raises(UsageError, match="cannot carry calls of kind runner"):
            site.transport.submit(Call("runner", "do.it", NODES), "1")
        assert site.published == []

    def test_answer_that_is_no_answer_is_left_out(self, site: StubbedSite) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        site.jobs[jid]["returns"] = {NODES[0]: "garbage", NODES[1]: {"return": 1}}
        assert set(site.transport.answers(CALL, jid)) == {NODES[1]}

    @pytest.mark.parametrize(
        "broken", [SaltException("no such class"), OSError("no such file"), {"_errors": ["no such class"]}], ids=str
    )
    def test_pillar_that_does_not_compile_is_refused_by_the_nodes_name(self, site: StubbedSite, broken: Any) -> None:
        site.compiled[NODES[0]] = broken
        with pytest.raises(Refused, match=r"pillar of n1\.lab cannot be compiled: .*no such"):
            site.transport.pillars(NODES[:1])

    def test_master_knows_its_own_name_as_a_minion(self, site: StubbedSite, tmp_path: Path) -> None:
        assert site.transport.master_id() == "cfg01.lab"
        (tmp_path / "minion").unlink()
        with pytest.raises(Refused, match="the Salt master must be its own minion"):
            site.transport.master_id()


def test_machine_without_a_salt_master_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SaltUnreachable, match="run this on the Salt master, or name it with --salt-config"):
        MasterTransport(tmp_path / "master")


def test_new_transport_is_one_name_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up transport: a class that keeps the contract, and a line in the table of doors."""
    salt, given = SaltInMemory(pillar=lab_pillar()), []

    def opened(access: Access) -> SaltInMemory:
        given.append(access.salt_config)
        return salt

    monkeypatch.setitem(doors.DOORS, "made-up", opened)
    words = [
        "--transport",
        "made-up",
        "--salt-config",
        str(tmp_path / "elsewhere"),
        "--state-dir",
        str(tmp_path),
        "plan",
    ]
    ran = CliRunner().invoke(cli, [*words, "control-plane", "--stage", "test-upgrade"])
    assert ran.exit_code == 0, ran.output
    assert "nova-map-instances" in ran.output
    assert given == [tmp_path / "elsewhere"]
    assert CliRunner().invoke(cli, ["--transport", "madeup", "history"]).exit_code == 2


def test_transport_that_cannot_carry_a_stage_refuses_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    salt = SaltInMemory(pillar=lab_pillar())
    monkeypatch.setattr(salt, "kinds", ("module",))
    monkeypatch.setitem(doors.DOORS, "master", lambda config: salt)
    ran = CliRunner().invoke(cli, ["--state-dir", str(tmp_path), "control-plane", "--stage", "test-upgrade"])
    assert "kind 'state', which the transport does not carry: it carries module" in str(ran.exception)
    assert salt.submitted == []


@pytest.mark.parametrize("transport", [MasterTransport, ApiTransport, SaltInMemory])
def test_transport_says_which_kinds_it_carries(transport: type) -> None:
    assert set(transport.kinds) <= set(KINDS)
